import FederationEngine
import MatrixWire
import PresenceEngine
import PresenceModel

extension ExplanationReport {
    /// The sentences, and beside them what they were made of.
    var json: JSONValue {
        var observer: JSONValue?
        var asked: JSONValue?
        switch other {
        case .observer(let user): observer = .string(user.text)
        case .server(let server): asked = .string(server.text)
        }
        return fields([
            "user_id": .string(user.text), "observer_id": observer, "server": asked, "now_ts": now.json,
            "verdict": .string(verdict.rawValue), "sentences": .array(sentences.map(\.json)),
            "sight": sight.map(\.json), "local": local.map(\.json), "remote": remote.map(\.json),
            "audience": audience.map(\.json), "telling": telling.map(\.json), "asking": asking.map(\.json),
            "peer": (telling?.peer ?? asking?.peer).map(\.json),
        ])
    }
}

extension PresenceEngine.Explanation {
    fileprivate var json: JSONValue {
        fields([
            "cause": .string(cause.rawValue), "since_ts": since?.json, "entry": entry.map { .string($0.rawValue) },
            "answer_if_asked": answerIfAsked.map { .string($0.rawValue) }, "rooms": rooms.json,
            "room_count": .integer(Int64(rooms.count)), "answered_only": .bool(isAnsweredOnly),
            "attention": attention.map { .string($0.rawValue) },
        ])
    }
}

extension PresenceEngine.SharedRooms {
    fileprivate var json: JSONValue {
        .array(
            first.map { room in
                [
                    "room_id": .string(room.id.text), "excluded": .bool(room.isExcluded),
                    "members": .integer(Int64(room.members)), "members_there": .integer(Int64(room.membersThere)),
                    "blocked": .bool(room.isBlocked),
                ]
            })
    }
}

extension PresenceEngine.LocalCondition {
    fileprivate var json: JSONValue {
        fields([
            "chosen": .string(chosen.rawValue), "override": override.map { .string($0.rawValue) },
            "override_until_ts": overrideUntil?.json, "published": .string(published.rawValue),
            "unknown": unknownSince.map { _ in .string(UnknownReason.socialSideLost.rawValue) },
            "unknown_since_ts": unknownSince?.json,
            "devices": .integer(Int64(devices)), "idle": .bool(isIdle), "last_seen_ts": lastSeen?.json,
            "next_look_ts": nextLook?.json,
        ])
    }
}

extension PresenceEngine.RemoteCondition {
    fileprivate var json: JSONValue {
        fields([
            "published": published.map { .string($0.rawValue) }, "unknown": unknown.map { .string($0.rawValue) },
            "unknown_since_ts": unknownSince?.json, "good_until_ts": goodUntil?.json,
            "interested": .integer(Int64(interested)), "listed": .integer(Int64(listed)),
            "rooms": .integer(Int64(rooms)),
        ])
    }
}

extension PresenceEngine.AudienceExplanation {
    fileprivate var json: JSONValue {
        fields([
            "reach": reach.map { .string($0.rawValue) }, "granted": .array(granted.map { .string($0.text) }),
            "granted_count": .integer(Int64(grantedCount)), "requested_count": .integer(Int64(requestedCount)),
            "blocked_count": .integer(Int64(blockedCount)), "rooms": rooms.json,
            "room_count": .integer(Int64(rooms.count)),
        ])
    }
}

extension FederationEngine.Telling {
    fileprivate var json: JSONValue {
        fields([
            "delivery": .string(delivery.name), "at_ts": delivery.instant?.json,
            "reach": reach.map { .string($0.rawValue) }, "promised_until_ts": promisedUntil?.json,
            "told": told.map { .string($0.rawValue) }, "told_ts": toldAt?.json,
        ])
    }
}

extension FederationEngine.Asking {
    fileprivate var json: JSONValue {
        fields([
            "state": .string(state.rawValue), "promised_until_ts": promisedUntil?.json, "held": .bool(isHeld),
        ])
    }
}

extension FederationEngine.Delivery {
    /// As programs know it.
    var name: String {
        switch self {
        case .noAudience: "no_audience"
        case .underway: "underway"
        case .tryingAgain: "trying_again"
        case .optedOut: "opted_out"
        case .silent: "silent"
        case .behind: "behind"
        case .backingOff: "backing_off"
        case .gathering: "gathering"
        case .leaving: "leaving"
        case .told: "told"
        case .cancelledOut: "cancelled_out"
        case .notWanted: "not_wanted"
        case .largeRooms: "large_rooms"
        case .unchanged: "unchanged"
        }
    }

    /// The instant that goes with it: when it began, or when it ends.
    fileprivate var instant: Instant? {
        switch self {
        case .underway(let since), .silent(let since), .behind(let since): since
        case .tryingAgain(let at), .told(let at), .cancelledOut(let at): at
        case .optedOut(let until), .backingOff(let until): until
        case .gathering(_, let closes): closes
        case .noAudience, .leaving, .notWanted, .largeRooms, .unchanged: nil
        }
    }
}
