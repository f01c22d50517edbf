import FederationEngine
import MatrixHTTP
import MatrixWire
import PresenceModel
import PresenceRuntime

extension FederationGateway {
    /// The longest transaction id taken, in bytes.
    static let transactionIDLimitBytes = 255

    /// `PUT /_matrix/federation/v1/send/{txnId}`: `{"origin","origin_server_ts","edus","pdus"}` → 200 `{"pdus":{}}`.
    ///
    /// Room events are not for us and are answered as taken. Of presence and permissions the good elements are taken,
    /// the others are counted. Spec: server-server API, transactions.
    func sendTransaction(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let id = try request.capture(0)
        guard !id.isEmpty, id.utf8.count <= FederationGateway.transactionIDLimitBytes else {
            throw MatrixErrorBody(.invalidParameter, "The transaction id must have 1 to 255 bytes.")
        }
        let body = try await request.bodyBytes(limit: configuration.bodyLimitBytes)
        let parsed = try parse(body)
        let origin = try await authentication.origin(of: request, content: parsed.canonicalBytes(from: body))
        let transaction: Transaction
        do throws(TransactionError) {
            transaction = try Transaction(decoding: parsed.value)
        } catch {
            throw error.answer
        }
        let arrived = clock.now
        var malformed = transaction.malformedCount
        var messages: [PresenceMessage] = []
        var permissions: [PermissionMessage] = []
        for edu in transaction.edus {
            switch edu {
            case .presence(let edu):
                malformed += edu.malformedCount
                messages.append(PresenceMessage(edu, arrived: arrived))
            case .permission(let message): permissions.append(message)
            case .unknown: break
            }
        }
        // A permission alone tells as well how its sender speaks.
        if transaction.carriesExtension { messages.insert(.speakingExtension, at: 0) }
        if malformed > 0 {
            logger.log(
                level: notices.isNews(.malformed, of: origin, at: arrived) ? .info : .debug,
                "elements of a transaction were malformed and left out",
                metadata: ["origin": "\(origin)", "count": "\(malformed)"])
        } else {
            _ = notices.ended(of: origin)
        }
        await introduceUsers(askedIn: permissions)
        do {
            try await runtime.take(messages, permissions: permissions, transaction: id, from: origin)
        } catch {
            throw MatrixErrorBody(.unknown, "The transaction could not be written to disk; send it again.", status: 503)
        }
        return .json(FederationGateway.taken)
    }

    /// Who has just come to this server may be asked, before the engine has heard of them.
    private func introduceUsers(askedIn permissions: [PermissionMessage]) async {
        for message in permissions where message.kind == .invite && message.observed.isHosted(by: server) {
            if isUser(message.observed) { await runtime.submit(.presence(.userKnown(message.observed))) }
        }
    }

    private static let taken = Array(#"{"pdus":{}}"#.utf8)

    /// Strict first: what a signature covers is canonical JSON. Room events of old rooms may hold numbers that are
    /// not; they are taken as Synapse takes them, and only duplicate keys are refused.
    private func parse(_ body: [UInt8]) throws(MatrixErrorBody) -> ParsedJSON {
        do throws(JSONError) {
            return try JSONParser(duplicateKeys: .refused, numbers: .any).parse(body)
        } catch {
            throw .contentNotJSON
        }
    }
}
