import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceModel

/// Checks who sent a request, by its `X-Matrix` header. Spec: server-server API, request authentication.
struct RequestAuthentication: Sendable {
    let server: ServerName
    let keys: KeyRing

    /// - Parameter content: the canonical bytes of the body; `nil` if there is none.
    /// - Returns: the server that signed the request.
    /// - Throws: 401 `M_UNAUTHORIZED`; 400 for a header that is no header.
    func origin(of request: MatrixRequest, content: [UInt8]?) async throws(MatrixErrorBody) -> ServerName {
        let header = try parse(request)
        if let destination = header.destination, destination != server {
            throw MatrixErrorBody(
                .unauthorized, "Destination mismatch in auth header, received: '\(destination)'")
        }
        guard let signature = header.signature, signature.count == 64, header.keyID.isEd25519 else {
            throw refusal(header, "the signature is not one")
        }
        guard let key = await keys.verifyKey(header.keyID, of: header.origin) else {
            throw MatrixErrorBody(
                .unauthorized, "Failed to find the key \(header.keyID) of \(header.origin) to check the signature")
        }
        let signed = SignedRequest.signingBytes(
            method: request.method, uri: request.target, origin: header.origin, destination: server,
            content: content)
        guard SigningKey.isValid(signature, of: signed, by: key) else { throw refusal(header, "it does not verify") }
        await keys.heard(from: header.origin)
        return header.origin
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

    private func refusal(_ header: XMatrixHeader, _ reason: String) -> MatrixErrorBody {
        MatrixErrorBody(
            .unauthorized, "Invalid signature for server \(header.origin) with key \(header.keyID): \(reason)")
    }
}
