import FederationEngine
import Logging
import MatrixWire
import PresenceModel
import PresenceRuntime

/// Signs transactions and takes them to their destinations: `PUT /_matrix/federation/v1/send/{txnId}`.
///
/// Spec: server-server API, transactions.
public struct TransactionSender: TransactionDelivery {
    private static let replyLimitBytes = 1024 * 1024

    /// One signed request: method, target, destination, header, body.
    typealias Carry =
        @Sendable (String, String, ServerName, String, [UInt8]) async throws(FederationError) ->
        FederationTransport.Reply

    private let server: ServerName
    private let keys: OwnKeys
    private let turns: AttemptTurns
    private let carry: Carry
    private let access: ServerAccess
    private let optOuts: EDUOptOuts
    private let busyValue: BusyValue
    private let ageGranularityMilliseconds: Int64
    private let clock: any PresenceClock
    private let logger: Logger
    private let notices = FailureNotices<FederationError.Code>()

    /// A sender that signs with the first of `keys` in the name of `server`.
    /// - Parameters:
    ///   - access: to whom nothing is sent.
    ///   - ageGranularity: ages leave as multiples of this.
    public init(
        server: ServerName, keys: OwnKeys, transport: FederationTransport, access: ServerAccess,
        busyValue: BusyValue, ageGranularity: Duration, clock: any PresenceClock, logger: Logger
    ) {
        let optOuts = EDUOptOuts(clock: clock, logger: logger) { (server) throws(FederationError) in
            try await transport.request(
                "GET", EDUOptOuts.target, at: server, authorization: nil, body: nil,
                replyLimitBytes: EDUOptOuts.replyLimitBytes)
        }
        self.init(
            server: server, keys: keys, turns: transport.turns, access: access, optOuts: optOuts,
            busyValue: busyValue, ageGranularity: ageGranularity, clock: clock, logger: logger
        ) { (method, target, destination, header, body) throws(FederationError) in
            try await transport.request(
                method, target, at: destination, authorization: header, body: body,
                replyLimitBytes: TransactionSender.replyLimitBytes)
        }
    }

    /// The same with other ways to carry requests.
    init(
        server: ServerName, keys: OwnKeys, turns: AttemptTurns, access: ServerAccess, optOuts: EDUOptOuts,
        busyValue: BusyValue, ageGranularity: Duration, clock: any PresenceClock, logger: Logger,
        carry: @escaping Carry
    ) {
        self.server = server
        self.keys = keys
        self.turns = turns
        self.access = access
        self.optOuts = optOuts
        self.carry = carry
        self.busyValue = busyValue
        self.ageGranularityMilliseconds = ageGranularity.inMilliseconds
        self.clock = clock
        self.logger = logger
    }

    /// Sends the transaction once, signed, without what the destination does not want; to one that wants nothing of
    /// it, nothing. 400, 404, 405 and 413 refuse it for good; anything else but 200 is no answer.
    public func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome {
        let destination = transaction.destination
        guard access.admits(destination) else { return .failed(.optedOut) }
        // Before anything is asked or composed: thousands may wait here.
        guard let turn = await turns.wait(for: destination) else { return .failed(.unanswered(after: nil)) }
        defer { turns.end(turn) }
        let wishes: EDUTypesBody
        switch await optOuts.wishes(of: destination) {
        case .wishes(let told): wishes = told
        case .unanswered(let wait, let reason):
            log("a transaction was not taken; it is tried again", transaction, reason.code, reason.message)
            return .failed(.unanswered(after: wait))
        }
        let permissions = transaction.permissions.filter { wishes.permissions.contains($0.kind) }
        let messages = wishes.presence ? transaction.messages : []
        guard !permissions.isEmpty || !messages.isEmpty else { return .failed(.optedOut) }
        return await send(transaction, permissions, messages)
    }

    private func send(
        _ transaction: OutgoingTransaction, _ permissions: [PermissionMessage], _ messages: [PresenceMessage]
    ) async -> DeliveryOutcome {
        let destination = transaction.destination
        let edus = messages.map {
            $0.edu(composed: transaction.composed, ageGranularityMilliseconds: ageGranularityMilliseconds)
        }
        // The same transaction makes the same bytes, so a retry needs no copy.
        let body = Transaction.encode(
            edus, permissions: permissions, origin: server, sent: transaction.composed, busyValue: busyValue)
        let target = "/_matrix/federation/v1/send/\(transaction.id)"
        let key = keys.current.signing[0]
        let signature = key.sign(
            SignedRequest.signingBytes(
                method: "PUT", uri: target, origin: server, destination: destination, content: body))
        let header = XMatrixHeader(origin: server, destination: destination, keyID: key.id, signature: signature)
        do throws(FederationError) {
            return outcome(of: try await carry("PUT", target, destination, header.text, body), transaction)
        } catch {
            log("a transaction was not taken; it is tried again", transaction, error.code, error.message)
            return .failed(.unanswered(after: nil))
        }
    }

    /// Tells the operator, once for each change.
    public func standingChanged(of server: ServerName, to standing: FederationEngine.Standing) {
        switch standing {
        case .silent:
            logger.warning(
                "a server does not answer any more; its users are unknown until it does",
                metadata: ["server": "\(server)"])
        case .answering:
            logger.notice("a server answers again", metadata: ["server": "\(server)"])
        }
    }

    private func outcome(of reply: FederationTransport.Reply, _ transaction: OutgoingTransaction) -> DeliveryOutcome {
        let code = FederationError.Code.refused(status: reply.status)
        switch reply.status {
        case 200:
            if let failures = notices.ended(of: transaction.destination) {
                logger.info(
                    "transactions are taken again",
                    metadata: ["destination": "\(transaction.destination)", "failures": "\(failures)"])
            }
            return .delivered
        case 400, 404, 405, 413:
            log("a transaction was refused for good; it is composed anew", transaction, code, "status \(reply.status)")
            return .failed(.refused)
        default:
            log("a transaction was not taken; it is tried again", transaction, code, "status \(reply.status)")
            return .failed(.unanswered(after: TransactionSender.wait(askedIn: reply)))
        }
    }

    /// `Retry-After`, or the older `retry_after_ms` of the body.
    static func wait(askedIn reply: FederationTransport.Reply) -> Duration? {
        if let wait = reply.retryAfter { return wait }
        guard reply.status == 429, let body = try? JSONParser.lenient.parse(reply.body).value else { return nil }
        return body["retry_after_ms"]?.integer.map { .milliseconds(max(0, $0)) }
    }

    /// Once for each failure that begins or becomes another; the repetitions are for who looks closely.
    private func log(
        _ message: Logger.Message, _ transaction: OutgoingTransaction, _ code: FederationError.Code, _ reason: String
    ) {
        let isNews = notices.isNews(code, of: transaction.destination, at: clock.now)
        // Only the operator can mend that.
        let level: Logger.Level = code == .addressRefused ? .error : .info
        logger.log(
            level: isNews ? level : .debug, message,
            metadata: [
                "destination": "\(transaction.destination)", "transaction": "\(transaction.id)", "reason": "\(reason)",
            ])
    }
}

/// For a server that sends nothing to others: nothing is ever handed to it.
public struct NoDelivery: TransactionDelivery {
    /// A delivery without a destination.
    public init() {}

    /// Refuses everything.
    public func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.optedOut) }
}
