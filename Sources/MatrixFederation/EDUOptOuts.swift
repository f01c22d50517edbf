import Logging
import MatrixWire
import PresenceModel
import PresenceRuntime

/// Which EDUs other servers wish to receive, asked before they are sent the first one, and again after a day.
///
/// The question is not signed: nobody needs to know who asks, and it is no sign of life that two servers could bounce
/// between each other. Most servers do not know it, say so with a 4xx, and want everything. A server that does not
/// answer is asked again at the next try; if it goes on like that it is taken to want everything for a while, since
/// it may well answer transactions. What was once known holds until there is a new answer. Spec: MSC4373.
actor EDUOptOuts {
    typealias Ask = @Sendable (ServerName) async throws(FederationError) -> FederationTransport.Reply

    /// What is to become of a transaction.
    enum Verdict: Sendable {
        /// What the destination wants of it.
        case wishes(EDUTypesBody)
        /// The destination did not say, and asked for a wait or not: as if the transaction had not been answered.
        case unanswered(after: Duration?, FederationError)
    }

    static let target = "/_matrix/federation/unstable/io.fsky.vel/edutypes"
    /// How long an answer is relied on.
    static let renewal = Duration.hours(24)
    /// How long a server that does not answer is left alone with the question.
    static let pause = Duration.hours(1)
    /// The most servers that are known; past that those whose answers are over are forgotten, or else all.
    static let serversLimit = 50_000
    static let replyLimitBytes = 64 * 1024
    /// So many time-outs and errors in a row, and the server is taken to want everything.
    static let failureLimit = 3
    /// A server that cannot be reached at all would not take a transaction either, but for one that hangs up on what it
    /// does not know: so many of these count as one time-out.
    static let unreachablePerFailure = 4

    private struct Known {
        var wishes: EDUTypesBody?
        var until: Instant
        var failures = 0
    }

    private let clock: any PresenceClock
    private let ask: Ask
    private let logger: Logger
    private var known: [ServerName: Known] = [:]

    init(clock: any PresenceClock, logger: Logger, ask: @escaping Ask) {
        self.clock = clock
        self.logger = logger
        self.ask = ask
    }

    /// What `server` wants; asks it if that is not known.
    func wishes(of server: ServerName) async -> Verdict {
        if let held = known[server], let wishes = held.wishes, clock.now < held.until { return .wishes(wishes) }
        do throws(FederationError) {
            let reply = try await ask(server)
            switch reply.status {
            case 200: return .wishes(learn(EDUTypesBody(decoding: reply.body) ?? .everything, of: server))
            case 400..<429, 430..<500: return .wishes(learn(.everything, of: server))
            default:
                let reason = FederationError(
                    .refused(status: reply.status), server, "status \(reply.status) for what it wishes to be sent")
                return miss(server, reason, after: TransactionSender.wait(askedIn: reply))
            }
        } catch {
            return miss(server, error, after: nil)
        }
    }

    private func learn(_ wishes: EDUTypesBody, of server: ServerName) -> EDUTypesBody {
        if wishes != .everything, known[server]?.wishes != wishes {
            logger.info(
                "a server does not want all that we could send, and is not sent it",
                metadata: ["server": "\(server)", "presence": "\(wishes.presence)"])
        }
        keep(Known(wishes: wishes, until: clock.now + EDUOptOuts.renewal), of: server)
        return wishes
    }

    private func miss(_ server: ServerName, _ reason: FederationError, after wait: Duration?) -> Verdict {
        var held = known[server] ?? Known(until: clock.now)
        let isAbsent = [.unreachable, .addressRefused].contains(reason.code)
        held.failures += isAbsent ? 1 : EDUOptOuts.unreachablePerFailure
        let isEnough = held.failures >= EDUOptOuts.failureLimit * EDUOptOuts.unreachablePerFailure
        let wishes = held.wishes ?? (isEnough ? .everything : nil)
        held.until = clock.now + EDUOptOuts.pause
        if isEnough || held.wishes != nil { held = Known(wishes: wishes, until: held.until) }
        keep(held, of: server)
        return wishes.map { .wishes($0) } ?? .unanswered(after: wait, reason)
    }

    private func keep(_ entry: Known, of server: ServerName) {
        if known[server] == nil, known.count >= EDUOptOuts.serversLimit {
            let now = clock.now
            known = known.filter { now < $0.value.until }
            if known.count >= EDUOptOuts.serversLimit { known.removeAll() }
        }
        known[server] = entry
    }
}
