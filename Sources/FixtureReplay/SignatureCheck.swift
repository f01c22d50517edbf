import MatrixWire
import PresenceModel

/// Checks the `X-Matrix` signatures of recorded requests between servers, without any network: a test of the
/// recordings, and of how canonical JSON and the signed text are made.
///
/// Spec: server-server API, request authentication.
public struct SignatureCheck: Sendable {
    /// What came of one exchange.
    public enum Verdict: Hashable, Sendable {
        /// The signature is that of the origin's key.
        case verified(origin: ServerName, key: SigningKeyID)
        /// There is no `X-Matrix` header to check.
        case unsigned
        /// The header is there, and a server has to refuse the request; the text says why.
        case refused(String)
        /// The recording does not hold what would be needed; the text says what.
        case undecidable(String)
    }

    private let keys: RecordedKeys

    /// - Parameter keys: only these are believed.
    public init(keys: RecordedKeys) { self.keys = keys }

    /// What a server would have to make of the request.
    public func verdict(on exchange: RecordedExchange) -> Verdict {
        guard let text = exchange.values(of: "Authorization").first else { return .unsigned }
        let header: XMatrixHeader
        do throws(XMatrixHeaderError) {
            header = try XMatrixHeader(parsing: text)
        } catch {
            return error == .notXMatrix ? .unsigned : .refused("the Authorization header is malformed")
        }
        guard let name = exchange.destination, let destination = try? ServerName(parsing: name) else {
            return .undecidable("the record does not say which server was asked")
        }
        if let named = header.destination, named != destination {
            return .refused("the header is meant for \(named), the request went to \(destination)")
        }
        guard let signature = header.signature, signature.count == 64 else {
            return .refused("the signature is not base64 of 64 bytes")
        }
        let content: [UInt8]?
        switch exchange.body {
        case .none: content = nil
        case .leftOut(let reason): return .undecidable(reason)
        case .bytes(let bytes):
            guard let parsed = try? JSONParser.lenient.parse(bytes) else { return .refused("the body is not JSON") }
            content = parsed.canonicalBytes(from: bytes)
        }
        let signed = SignedRequest.signingBytes(
            method: exchange.method, uri: exchange.target, origin: header.origin, destination: destination,
            content: content)
        let candidates = keys.candidates(for: header.keyID, of: header.origin)
        guard !candidates.isEmpty else { return .refused("no key \(header.keyID) of \(header.origin) is known") }
        guard candidates.contains(where: { Ed25519.isValid(signature, of: signed, by: $0) }) else {
            if exchange.lacksItsKey { return .undecidable("its key was not kept") }
            return .refused("the signature does not verify with \(header.keyID) of \(header.origin)")
        }
        return .verified(origin: header.origin, key: header.keyID)
    }
}
