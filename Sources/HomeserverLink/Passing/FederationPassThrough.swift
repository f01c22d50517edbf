import HTTPTypes
import MatrixFederation
import MatrixHTTP
import MatrixWire

/// Passes other servers' requests on, byte for byte where they are signed, and lets presenced read along.
///
/// What the homeserver refuses is not read. Nothing that presenced makes of a request changes the answer, and only a
/// permission that is to be on disk first delays it. Facts: sections 3.2 and 3.3.
public struct FederationPassThrough: Sendable {
    private let passing: PassThrough
    private let tap: FederationTap

    /// For the listener that other servers come to.
    public init(_ passing: PassThrough, tap: FederationTap) {
        self.passing = passing
        self.tap = tap
    }

    /// Passes `request` on.
    /// - Throws: as ``PassThrough/answer(_:)``.
    public func answer(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        guard request.headers[.authorization] != nil else { return try await passing.answer(request) }
        let isTransaction = request.method == "PUT" && request.path.hasPrefix("/_matrix/federation/v1/send/")
        let limit = isTransaction ? tap.bodyLimit : FederationPassThrough.otherBodyLimit
        return try await passing.answer(
            request,
            PassThrough.Watching(bodyLimit: limit) { status, body in
                guard status == 200 else { return }
                switch body {
                case .none: await tap.passed(request, body: nil)
                case .whole(let bytes): await tap.passed(request, body: bytes)
                // Without it the signature cannot be checked.
                case .notKept: break
                }
            })
    }

    /// Longer bodies of other requests are not worth a copy: they tell no more than that their sender lives.
    private static let otherBodyLimit = 256 * 1024
}
