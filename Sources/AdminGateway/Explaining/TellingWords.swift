import FederationEngine
import PresenceModel

/// Why the last EDU to a server was sent or was not, in sentences. Of texts nothing is told.
struct TellingWords {
    let user: UserID
    let server: ServerName
    let time: TimeWords

    /// What this server tells of its user.
    func sentences(_ telling: FederationEngine.Telling) -> [Sentence] {
        let (fact, text) = words(telling.delivery)
        var said = [Sentence(fact, text)]
        if let told = telling.told, let at = telling.toldAt {
            said.append(
                Sentence("last_told", "The last that \(server) was told of \(user): \(told.rawValue), \(time.at(at))."))
        }
        if let until = telling.promisedUntil {
            said.append(
                Sentence(
                    "promise_given", "\(server) has this server's word to be told of changes until \(time.at(until))."))
        }
        return said + PeerWords(server: server, time: time).sentences(telling.peer)
    }

    private func words(_ delivery: FederationEngine.Delivery) -> (fact: String, text: String) {
        let waits = "News of \(user) for \(server) wait"
        return switch delivery {
        case .noAudience:
            ("no_audience", "Nothing of \(user) is sent to \(server): nobody there may see them.")
        case .underway(let since):
            ("underway", "News of \(user) are in the transaction that left for \(server) at \(time.at(since)).")
        case .tryingAgain(let at):
            (
                "trying_again",
                "News of \(user) are in a transaction that \(server) did not take; next try \(time.at(at))."
            )
        case .optedOut(let until):
            ("opted_out", "\(waits): it wants nothing about presence, and is not asked again before \(time.at(until)).")
        case .silent(let since):
            ("silent", "\(waits): it does not answer since \(time.at(since)), and is told what holds when it is back.")
        case .behind(let since):
            ("behind", "\(waits) for the transaction that left at \(time.at(since)) and is not answered.")
        case .backingOff(let until):
            ("backing_off", "\(waits): it failed, and is left alone until \(time.at(until)).")
        case .gathering(let opened, let closes):
            (
                "gathering",
                "\(waits) for others: the batch began \(time.distance(to: opened)) and leaves \(time.at(closes))."
            )
        case .leaving: ("leaving", "News of \(user) leave for \(server) at once.")
        case .told(let at):
            ("told", "Nothing of \(user) is sent to \(server): what it was told \(time.at(at)) still holds.")
        case .cancelledOut(let toldAt):
            (
                "cancelled_out",
                "Nothing of \(user) is sent to \(server): they changed and changed back to what it was told "
                    + "\(time.at(toldAt))."
            )
        case .notWanted:
            (
                "not_wanted",
                "Nothing of \(user) is sent to \(server): it takes part in subscribe and push, and has not asked."
            )
        case .largeRooms:
            (
                "large_rooms",
                "Nothing of \(user) is sent to \(server): it cannot subscribe, and sees them in large rooms only."
            )
        case .unchanged:
            ("unchanged", "Nothing of \(user) was sent to \(server) since this server started: nothing changed.")
        }
    }

    /// What this server asked about a user of the other.
    func sentences(_ asking: FederationEngine.Asking) -> [Sentence] {
        var said = [Sentence("asking_\(asking.state.rawValue)", words(asking))]
        if asking.state != .notAsked, asking.state != .legacy {
            said.append(
                Sentence(
                    asking.isHeld ? "held" : "not_held",
                    asking.isHeld
                        ? "What \(server) said last is compared with its reminders."
                        : "There is nothing to compare with reminders of \(server)."))
        }
        return said + PeerWords(server: server, time: time).sentences(asking.peer)
    }

    private func words(_ asking: FederationEngine.Asking) -> String {
        let until = asking.promisedUntil.map { " Its word holds until \(time.at($0))." } ?? ""
        switch asking.state {
        case .notAsked: return "\(server) is not asked about \(user): nobody here cares."
        case .fading: return "Nobody here cares about \(user) any more; \(server) is told after the grace.\(until)"
        case .legacy: return "\(server) does not understand polls: it pushes by itself.\(until)"
        case .silent: return "\(server) was asked about \(user) and does not answer."
        case .waiting: return "\(server) is about to be asked about \(user).\(until)"
        case .underway: return "\(server) was asked about \(user), and has not taken the question yet.\(until)"
        case .promised: return "\(server) was asked about \(user), and promised to tell of changes.\(until)"
        case .unanswered: return "\(server) was asked about \(user), and said nothing: as of who may not be seen."
        }
    }
}

/// What is known of a server, in sentences: only what explains something.
struct PeerWords {
    let server: ServerName
    let time: TimeWords

    func sentences(_ peer: PeerView?) -> [Sentence] {
        guard let peer else {
            return [Sentence("peer_unknown", "Nothing is exchanged with \(server).")]
        }
        var said = [Sentence("kind_\(peer.kind.rawValue)", kind(peer))]
        if let since = peer.inFlightSince {
            let next =
                peer.isUnderway ? "waits for its answer" : peer.retryAt.map { "tried again \(time.at($0))" } ?? "waits"
            said.append(Sentence("in_flight", "A transaction of \(time.at(since)) is out: \(next)."))
        }
        if let retryAt = peer.retryAt {
            let failures = peer.failures == 1 ? "1 failure" : "\(peer.failures) failures"
            said.append(
                Sentence("back_off", "After \(failures) in a row \(server) is left alone until \(time.at(retryAt))."))
        }
        if let until = peer.optedOutUntil {
            said.append(
                Sentence("peer_opted_out", "\(server) wants nothing about presence; asked again \(time.at(until))."))
        }
        let heard = peer.lastHeard.map { "last heard at \(time.at($0))" } ?? "not heard since this server started"
        let sent =
            peer.lastSent.map { "the last transaction for it left at \(time.at($0))" } ?? "nothing sent to it since"
        said.append(Sentence("contact", "\(server): \(heard), \(sent)."))
        if let short = peer.shortDue, let silent = peer.silentDue {
            said.append(
                Sentence(
                    "watchdog",
                    "If nothing is heard of it, it is reminded \(time.distance(to: short)) and counts as silent "
                        + "\(time.distance(to: silent))."))
        }
        return said
    }

    private func kind(_ peer: PeerView) -> String {
        switch peer.kind {
        case .capable: "\(server) takes part in subscribe and push."
        case .legacy: "\(server) pushes by itself and ignores polls, as Synapse does."
        case .silent: "\(server) does not answer\(time.since(peer.silentSince)): its users are unknown here."
        case .unheard: "\(server) has said nothing yet that tells how it speaks."
        }
    }
}
