import FederationEngine
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Everything that bears on whether one is seen by another, at one instant.
struct ExplanationReport: Sendable {
    /// Who sees, or does not.
    enum Other: Hashable, Sendable {
        case observer(UserID)
        /// Anyone there.
        case server(ServerName)
    }

    /// Whether they do.
    enum Verdict: String, Hashable, Sendable {
        case seen
        case notSeen = "not_seen"
        case notDecidedHere = "not_decided_here"

        init(_ isSeen: Bool?) { self = isSeen.map { $0 ? .seen : .notSeen } ?? .notDecidedHere }
    }

    let user: UserID
    let other: Other
    let own: ServerName
    let now: Instant
    let directions: PresenceInstance.Directions
    private(set) var sight: PresenceEngine.Explanation?
    private(set) var local: PresenceEngine.LocalCondition?
    private(set) var remote: PresenceEngine.RemoteCondition?
    private(set) var audience: PresenceEngine.AudienceExplanation?
    private(set) var telling: FederationEngine.Telling?
    private(set) var asking: FederationEngine.Asking?

    init(of user: UserID, _ other: Other, in instance: PresenceInstance, at now: Instant) {
        self.user = user
        self.other = other
        self.now = now
        own = instance.presence.server
        directions = instance.directions
        if case .observer(let observer) = other { sight = instance.presence.explain(user, to: observer) }
        guard isOfConcern else { return }
        if user.isHosted(by: own) {
            local = instance.presence.localCondition(of: user, at: now)
            guard server != own else { return }
            audience = instance.presence.explain(user, at: server)
            if directions.contains(.send) { telling = instance.federation.explain(user, to: server, at: now) }
        } else {
            remote = instance.presence.remoteCondition(of: user)
            if directions == .both { asking = instance.federation.explainAsking(of: user, at: now) }
        }
    }

    /// The other side's server.
    var server: ServerName {
        switch other {
        case .observer(let observer): observer.server
        case .server(let server): server
        }
    }

    /// This server has to do with it: one side is its own, or the other server is asked about its own user.
    private var isOfConcern: Bool {
        if user.isHosted(by: own) || server == own { return true }
        if case .server(let server) = other { return user.isHosted(by: server) }
        return false
    }

    var verdict: Verdict {
        if let sight { return Verdict(sight.isSeen) }
        if !isOfConcern { return .notDecidedHere }
        if user.isHosted(by: own) { return Verdict(server == own ? local != nil : audience?.reach != nil) }
        return Verdict(remote?.published != nil)
    }

    /// The most important first.
    var sentences: [Sentence] {
        let time = TimeWords(now: now)
        var said: [Sentence] = []
        if let sight, case .observer(let observer) = other {
            said += SightWords(user: user, observer: observer, time: time).sentences(sight)
        } else if !isOfConcern {
            said.append(
                Sentence(
                    "not_here",
                    "\(user) is no user of this server: what \(server) is told of them is for \(user.server) to say."))
        } else if server == own, user.isHosted(by: own) {
            said.append(
                Sentence("this_server", "\(server) is this server: name an observer to learn who sees \(user)."))
        }
        let condition = ConditionWords(user: user, time: time)
        if sight == nil, let audience { said += AudienceWords(user: user, server: server).sentences(audience) }
        if let remote { said += condition.sentences(remote) }
        if user.isHosted(by: own), said.first?.fact != "no_such_user" { said += condition.sentences(local) }
        if sight != nil, let audience { said += AudienceWords(user: user, server: server).sentences(audience) }
        if isOfConcern, !(user.isHosted(by: own) && server == own) { said += exchange }
        if let telling { said += TellingWords(user: user, server: server, time: time).sentences(telling) }
        if let asking { said += TellingWords(user: user, server: user.server, time: time).sentences(asking) }
        var facts: Set<String> = []
        return said.filter { facts.insert($0.fact).inserted }
    }

    /// What is switched off of the exchange with other servers, as far as it matters here.
    private var exchange: [Sentence] {
        if directions == .none {
            return [
                Sentence(
                    "federation_off",
                    "This server exchanges nothing with other servers (federation.enabled, or "
                        + "federation.send and federation.receive).")
            ]
        }
        if !directions.contains(.send) {
            let what = user.isHosted(by: own) ? "tells other servers nothing" : "tells and asks other servers nothing"
            return [Sentence("sending_off", "This server \(what) (federation.send is false).")]
        }
        if !directions.contains(.receive), !user.isHosted(by: own) {
            return [
                Sentence(
                    "receiving_off",
                    "This server takes in nothing that others say, and does not ask (federation.receive is false).")
            ]
        }
        return []
    }
}
