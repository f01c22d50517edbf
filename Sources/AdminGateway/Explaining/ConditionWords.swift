import PresenceEngine
import PresenceModel

/// What a user is, and by what, in sentences. Of texts nothing is told.
struct ConditionWords {
    let user: UserID
    let time: TimeWords

    /// Of a local user: `nil` where there is none.
    func sentences(_ condition: PresenceEngine.LocalCondition?) -> [Sentence] {
        guard let condition else { return [Sentence("no_such_user", "There is no user \(user) here.")] }
        var said = [Sentence("published_\(condition.published.rawValue)", published(condition))]
        if let since = condition.unknownSince {
            said.append(
                Sentence(
                    "unknown_\(UnknownReason.socialSideLost.rawValue)",
                    "To users of this server \(user) is unknown since \(time.at(since)): they were seen through a social "
                        + "service alone, which does not say any more how they are."))
        }
        if let override = condition.override {
            let end = condition.overrideUntil.map { " until \(time.at($0))" } ?? ""
            said.append(
                Sentence("override", "\(user) insists on \(override.rawValue)\(end), whatever the devices do."))
        }
        if condition.effective == .hidden || condition.effective == .offline {
            let what = condition.effective == .hidden ? "hidden" : "offline by choice"
            said.append(
                Sentence(
                    condition.effective == .hidden ? "hidden" : "offline_by_choice",
                    "\(user) is \(what): everybody else is told offline, whatever the devices do."))
        }
        said.append(Sentence("devices", devices(condition)))
        if let next = condition.nextLook {
            said.append(Sentence("next_look", "Time alone may change that \(time.distance(to: next))."))
        }
        return said
    }

    private func published(_ condition: PresenceEngine.LocalCondition) -> String {
        "Whoever may see \(user) is told: \(condition.published.rawValue)."
    }

    private func devices(_ condition: PresenceEngine.LocalCondition) -> String {
        guard condition.devices > 0 else {
            let last = condition.lastSeen.map { ", the last one was in touch \(time.at($0))" } ?? " and none ever was"
            return "No device of \(user) is connected\(last)."
        }
        let count = condition.devices == 1 ? "One device" : "\(condition.devices) devices"
        let idle = condition.isIdle ? (condition.devices == 1 ? ", and idle" : ", all of them idle") : ""
        return "\(count) of \(user) \(condition.devices == 1 ? "is" : "are") connected\(idle)."
    }

    /// Of another server's user.
    func sentences(_ condition: PresenceEngine.RemoteCondition) -> [Sentence] {
        var said: [Sentence] = []
        if let published = condition.published {
            let end = condition.goodUntil.map { ", which holds until \(time.at($0))" } ?? ", which holds for good"
            said.append(Sentence("known", "\(user.server) said of \(user): \(published.rawValue)\(end)."))
        }
        if let reason = condition.unknown {
            let since = time.since(condition.unknownSince)
            said.append(Sentence("unknown_\(reason.rawValue)", unknown(reason, since)))
        }
        said.append(Sentence("interested", interest(condition)))
        return said
    }

    private func interest(_ condition: PresenceEngine.RemoteCondition) -> String {
        func counted(_ count: Int, _ what: String) -> String { "\(count) \(what)\(count == 1 ? "" : "s")" }
        let who = condition.interested == 0 ? "Nobody" : "\(condition.interested)"
        return "\(who) here \(condition.interested > 1 ? "want" : "wants") to know of \(user) now, who is on "
            + "\(counted(condition.listed, "list")) and in \(counted(condition.rooms, "room")) here."
    }

    private func unknown(_ reason: UnknownReason, _ since: String) -> String {
        switch reason {
        case .neverHeard: "\(user) is unknown: \(user.server) never said anything of them, or it was forgotten."
        case .promiseLapsed:
            "\(user) is unknown\(since): the promise of \(user.server) to tell of changes ran out and was not renewed."
        case .notAsked:
            "\(user) is unknown\(since): nobody here cared, so \(user.server) was told that it need not report."
        case .socialSideLost:
            "\(user) is unknown\(since): they were seen through a social service, which does not say any more how they are."
        case .serverSilent: "\(user) is unknown\(since): \(user.server) does not answer any more."
        }
    }
}
