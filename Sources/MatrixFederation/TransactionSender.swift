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

    private let server: ServerName
    private let keys: OwnKeys
    private let transport: FederationTransport
    private let busyValue: BusyValue
    private let ageGranularityMilliseconds: Int64
    private let clock: any PresenceClock
    private let logger: Logger
    private let notices = FailureNotices<FederationError.Code>()

    /// A sender that signs with the first of `keys` in the name of `server`.
    /// - Parameter ageGranularity: ages leave as multiples of this.
    public init(
        server: ServerName, keys: OwnKeys, transport: FederationTransport, busyValue: BusyValue,
        ageGranularity: Duration, clock: any PresenceClock, logger: Logger
    ) {
        self.server = server
        self.keys = keys
        self.transport = transport
        self.busyValue = busyValue
        self.ageGranularityMilliseconds = ageGranularity.inMilliseconds
        self.clock = clock
        self.logger = logger
    }

    /// Sends the transaction once, signed. 400, 404, 405 and 413 refuse it for good; anything else but 200 is no
    /// answer.
    public func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome {
        let destination = transaction.destination
        // Before anything is composed: thousands may wait here.
        guard let turn = await transport.turns.wait(for: destination) else { return .failed(.unanswered(after: nil)) }
        defer { transport.turns.end(turn) }
        let edus = transaction.messages.map {
            $0.edu(composed: transaction.composed, ageGranularityMilliseconds: ageGranularityMilliseconds)
        }
        // The same transaction makes the same bytes, so a retry needs no copy.
        let body = Transaction.encode(
            edus, permissions: transaction.permissions, origin: server, sent: transaction.composed,
            busyValue: busyValue)
        let target = "/_matrix/federation/v1/send/\(transaction.id)"
        let key = keys.current.signing[0]
        let signature = key.sign(
            SignedRequest.signingBytes(
                method: "PUT", uri: target, origin: server, destination: destination, content: body))
        let header = XMatrixHeader(origin: server, destination: destination, keyID: key.id, signature: signature)
        do throws(FederationError) {
            let reply = try await transport.request(
                "PUT", target, at: destination, authorization: header.text, body: body,
                replyLimitBytes: TransactionSender.replyLimitBytes)
            return outcome(of: reply, transaction)
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
    private static func wait(askedIn reply: FederationTransport.Reply) -> Duration? {
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

/// For a server that talks to no other: nothing is ever handed to it.
public struct NoDelivery: TransactionDelivery {
    /// A delivery without a destination.
    public init() {}

    /// Refuses everything for good, so that nothing is tried again.
    public func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.refused) }
}
