import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceModel

/// Checks who sent a request, by its `X-Matrix` header, in three steps: what the head of the request says, the key of
/// who is named there, and the signature. A body is read in between, once it is known that it could be good.
/// Spec: server-server API, request authentication.
struct RequestAuthentication: Sendable {
    /// Who says to have sent a request.
    struct Claim: Sendable {
        var origin: ServerName
        var keyID: SigningKeyID
        /// 64 bytes.
        var signature: [UInt8]
    }

    let server: ServerName
    let keys: KeyRing
    let access: ServerAccess
    private let largeBodies = LargeBodies()

    init(server: ServerName, keys: KeyRing, access: ServerAccess) {
        self.server = server
        self.keys = keys
        self.access = access
    }

    /// What the head of the request says; nothing is looked up for it.
    /// - Throws: 401 `M_UNAUTHORIZED`; 400 for a header that is no header; 403 `M_FORBIDDEN` for a server that is not
    ///   talked to.
    func claim(of request: MatrixRequest) throws(MatrixErrorBody) -> Claim {
        let header = try parse(request)
        if let destination = header.destination, destination != server {
            throw MatrixErrorBody(
                .unauthorized, "Destination mismatch in auth header, received: '\(destination)'")
        }
        guard let signature = header.signature, signature.count == 64, header.keyID.isEd25519 else {
            throw RequestAuthentication.refusal(header.origin, header.keyID, "the signature is not one")
        }
        guard access.admits(header.origin) else {
            throw MatrixErrorBody(.forbidden, "This server does not federate with \(header.origin).")
        }
        return Claim(origin: header.origin, keyID: header.keyID, signature: signature)
    }

    /// The key that the claim names, fetched if need be.
    /// - Throws: 401 `M_UNAUTHORIZED`.
    func key(of claim: Claim) async throws(MatrixErrorBody) -> [UInt8] {
        guard let key = await keys.verifyKey(claim.keyID, of: claim.origin) else {
            throw MatrixErrorBody(
                .unauthorized, "Failed to find the key \(claim.keyID) of \(claim.origin) to check the signature")
        }
        return key
    }

    /// Checks the signature of a request with or without a body.
    ///
    /// Most servers send the very bytes that they signed, and these are checked before anything is parsed. Only where
    /// that fails the canonical form is made.
    /// - Throws: 401 `M_UNAUTHORIZED`; 400 `M_NOT_JSON`.
    func verify(
        _ request: MatrixRequest, body: [UInt8]?, _ claim: Claim, key: [UInt8]
    ) async throws(MatrixErrorBody) {
        if !isSigned(request, content: body, claim, key) {
            guard let body, let canonical = try await largeBodies.canonical(body), canonical != body,
                isSigned(request, content: canonical, claim, key)
            else { throw RequestAuthentication.refusal(claim.origin, claim.keyID, "it does not verify") }
        }
        await keys.heard(from: claim.origin)
    }

    /// Reads what a body that was verified holds.
    /// - Throws: 400 for what is no transaction.
    func transaction(in body: [UInt8]) async throws(MatrixErrorBody) -> Transaction {
        try await largeBodies.transaction(in: body)
    }

    private func isSigned(_ request: MatrixRequest, content: [UInt8]?, _ claim: Claim, _ key: [UInt8]) -> Bool {
        let signed = SignedRequest.signingBytes(
            method: request.method, uri: request.target, origin: claim.origin, destination: server, content: content)
        return SigningKey.isValid(claim.signature, of: signed, by: key)
    }

    /// A request may carry several headers; the first that is ours counts.
    private func parse(_ request: MatrixRequest) throws(MatrixErrorBody) -> XMatrixHeader {
        var firstError = XMatrixHeaderError.notXMatrix
        for value in request.headers[values: .authorization] {
            do throws(XMatrixHeaderError) {
                return try XMatrixHeader(parsing: value)
            } catch {
                if firstError == .notXMatrix { firstError = error }
            }
        }
        throw firstError.answer
    }

    private static func refusal(_ origin: ServerName, _ keyID: SigningKeyID, _ reason: String) -> MatrixErrorBody {
        MatrixErrorBody(.unauthorized, "Invalid signature for server \(origin) with key \(keyID): \(reason)")
    }
}

/// Parses bodies, large ones one after the other: parsed, a body takes many times the memory of its bytes.
private actor LargeBodies {
    private static let smallBytes = 64 * 1024

    /// - Returns: `nil` if it is canonical as it stands.
    /// - Throws: 400 `M_NOT_JSON`.
    nonisolated func canonical(_ body: [UInt8]) async throws(MatrixErrorBody) -> [UInt8]? {
        guard body.count > LargeBodies.smallBytes else { return try LargeBodies.canonical(body) }
        return try await oneCanonical(body)
    }

    /// - Throws: 400.
    nonisolated func transaction(in body: [UInt8]) async throws(MatrixErrorBody) -> Transaction {
        guard body.count > LargeBodies.smallBytes else { return try LargeBodies.transaction(in: body) }
        return try await oneTransaction(in: body)
    }

    private func oneCanonical(_ body: [UInt8]) throws(MatrixErrorBody) -> [UInt8]? { try LargeBodies.canonical(body) }

    private func oneTransaction(in body: [UInt8]) throws(MatrixErrorBody) -> Transaction {
        try LargeBodies.transaction(in: body)
    }

    private static func canonical(_ body: [UInt8]) throws(MatrixErrorBody) -> [UInt8]? {
        let parsed = try parse(body)
        return parsed.isCanonical ? nil : CanonicalJSON.encode(parsed.value)
    }

    private static func transaction(in body: [UInt8]) throws(MatrixErrorBody) -> Transaction {
        let parsed = try parse(body)
        do throws(TransactionError) {
            return try Transaction(decoding: parsed.value)
        } catch {
            throw error.answer
        }
    }

    /// Strict first: what a signature covers is canonical JSON. Room events of old rooms may hold numbers that are
    /// not; they are taken as Synapse takes them, and only duplicate keys are refused.
    private static func parse(_ body: [UInt8]) throws(MatrixErrorBody) -> ParsedJSON {
        do throws(JSONError) {
            return try JSONParser(duplicateKeys: .refused, numbers: .any).parse(body)
        } catch {
            throw .contentNotJSON
        }
    }
}
