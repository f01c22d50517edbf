import PresenceEngine
import PresenceModel

/// Why one user sees another or does not, in sentences. Of texts nothing is told.
struct SightWords {
    let user: UserID
    let observer: UserID
    let time: TimeWords

    /// The rule that decides, then what there is beside it.
    func sentences(_ explanation: PresenceEngine.Explanation) -> [Sentence] {
        var said = [verdict(explanation)]
        if explanation.isAnsweredOnly {
            said.append(
                Sentence(
                    "answered_only",
                    "Streams of \(observer) do not show \(user), who is neither on their list nor in a room of theirs; "
                        + "asking for the status is answered."))
        }
        if let answer = explanation.answerIfAsked, explanation.isSeen == false, explanation.cause != .requested {
            said.append(Sentence("if_asked_\(answer.rawValue)", asked(answer)))
        }
        if explanation.cause != .sharedRoom, explanation.rooms.count > 0 {
            said.append(
                Sentence("rooms", "Rooms that both are in: \(RoomWords.list(explanation.rooms, counted: false))."))
        }
        if let attention = explanation.attention {
            said.append(Sentence("attention_\(attention.rawValue)", words(attention)))
        }
        return said
    }

    private func verdict(_ explanation: PresenceEngine.Explanation) -> Sentence {
        let sees = "\(observer) sees \(user)"
        let doesNot = "\(observer) does not see \(user)"
        let since = time.since(explanation.since)
        let text =
            switch explanation.cause {
            case .notHere:
                "Neither \(user) nor \(observer) is a user of this server: ask at \(user.server) or \(observer.server)."
            case .oneself: "\(sees): everyone sees themselves."
            case .noSuchUser: "\(doesNot): there is no user \(user) here."
            case .granted: "\(sees): \(user) gave them leave, which holds\(since)."
            case .blocked: "\(doesNot): \(user) blocks them\(since), and rooms that both are in do not help."
            case .entryAccepted: "\(sees): \(user) is on their list, and \(user.server) agreed\(since)."
            case .sharedRoom: "\(sees): both are in \(RoomWords.list(explanation.rooms, counted: false))."
            case .requested: "\(doesNot): they asked, and \(user) has not answered\(since)."
            case .entryPending: "\(doesNot): they asked, and \(user.server) has not answered\(since)."
            case .entryDenied: "\(doesNot): they asked and were denied, which holds\(since)."
            case .excludedRooms:
                "\(doesNot): there is no leave, and every room that both are in is excluded (presence.excluded_rooms)."
            case .noLeave:
                "\(doesNot): there is no leave and no room that both are in. They never asked, or were denied: of a "
                    + "denial nothing is kept."
            }
        return Sentence(explanation.cause.rawValue, text)
    }

    private func asked(_ answer: StoredConsent.State) -> String {
        switch answer {
        case .granted: "If \(observer) asked now, leave would be given at once: by the policy, or because it is mutual."
        case .requested: "If \(observer) asked now, the request would wait for \(user)."
        case .blocked: "If \(observer) asked now, they would be denied: by the policy, or because too many wait."
        }
    }

    private func words(_ attention: PresenceEngine.Attention) -> String {
        switch attention {
        case .counts: "\(observer) wants to know, so \(user.server) is asked to keep this server posted."
        case .away:
            "The wish of \(observer) to know does not count: they are hidden or offline by choice, and asking would tell "
                + "that somebody is there."
        case .noClient: "No client of \(observer) is connected, so nobody asks on their behalf."
        case .notSelected: "\(observer) asked expressly to be kept posted on others."
        case .notEntitled: "On behalf of \(observer) nobody asks: they may not see \(user)."
        }
    }
}

/// Rooms in words.
enum RoomWords {
    /// As in `!a:x (3 members, excluded) and 4 more`.
    static func list(_ rooms: PresenceEngine.SharedRooms, counted: Bool) -> String {
        let names = rooms.first.map { room in
            var notes = ["\(room.members) members"]
            if counted { notes.append("\(room.membersThere) there") }
            if room.isExcluded { notes.append("excluded") }
            if room.isBlocked { notes.append(counted ? "all of those blocked" : "blocked") }
            return "\(room.id) (\(notes.joined(separator: ", ")))"
        }
        let more = rooms.count - rooms.first.count
        return names.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }
}
