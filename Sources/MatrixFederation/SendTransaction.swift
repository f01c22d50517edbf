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
    /// The head of the request is judged first, the key of who it names is looked up, and only then the body is read:
    /// nobody fills the memory without a name that has a key. Room events are not for us, and nothing is said of them:
    /// their senders read in `pdus` what went wrong. Of presence and permissions the good elements are taken, the others
    /// are counted. Spec: server-server API, transactions; decision 19.
    func sendTransaction(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let id = try request.capture(0)
        guard !id.isEmpty, id.utf8.count <= FederationGateway.transactionIDLimitBytes else {
            throw MatrixErrorBody(.invalidParameter, "The transaction id must have 1 to 255 bytes.")
        }
        try request.refuseLongBody(limit: configuration.bodyLimitBytes)
        let claim = try authentication.claim(of: request)
        let key = try await authentication.key(of: claim)
        let share = bodies.open(for: claim.origin)
        defer { share.close() }
        let body = try await request.bodyBytes(limit: configuration.bodyLimitBytes, within: share)
        try await authentication.verify(request, body: body, claim, key: key)
        try rate.take(for: claim.origin)
        try await takeOnce(id, body, from: claim.origin)
        return .json(FederationGateway.taken)
    }

    /// Takes a transaction whose signature is good, unless it was taken before.
    /// - Throws: 400 for what is none, 429 for too many at a time, 503 if it is not on disk.
    func takeOnce(_ id: String, _ body: [UInt8], from origin: ServerName) async throws(MatrixErrorBody) {
        guard try await incoming.begin(id, from: origin) == .turn else { return }
        do throws(MatrixErrorBody) {
            try await take(try await authentication.transaction(in: body), id, from: origin)
        } catch {
            await incoming.end(id, from: origin, .failure(error))
            throw error
        }
        await incoming.end(id, from: origin, .success(()))
    }

    private func take(
        _ transaction: Transaction, _ id: String, from origin: ServerName
    ) async throws(MatrixErrorBody) {
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
    }

    /// Who has just come to this server may be asked, before the engine has heard of them.
    private func introduceUsers(askedIn permissions: [PermissionMessage]) async {
        for message in permissions where message.kind == .invite && message.observed.isHosted(by: server) {
            if await isUser(message.observed) { await runtime.submit(.presence(.userKnown(message.observed))) }
        }
    }

    private static let taken = Array(#"{"pdus":{}}"#.utf8)
}
