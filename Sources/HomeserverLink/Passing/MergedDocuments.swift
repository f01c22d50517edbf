import ClientGateway
import HTTPTypes
import MatrixHTTP
import MatrixWire
import NIOCore

/// The two documents by which clients learn what a server can do: the homeserver's, and what presenced adds.
public struct MergedDocuments: Sendable {
    private let passing: PassThrough
    private let gateway: ClientGateway

    /// - Parameter gateway: says what is switched on.
    public init(passing: PassThrough, gateway: ClientGateway) {
        self.passing = passing
        self.gateway = gateway
    }

    /// `versions`, and `capabilities` under the prefixes that clients use.
    public var routes: [Route] {
        let versions: Route.Handle = { request throws(MatrixErrorBody) in try await getVersions(request) }
        let capabilities: Route.Handle = { request throws(MatrixErrorBody) in try await getCapabilities(request) }
        return [Route("GET", "/_matrix/client/versions", versions)]
            + ["v3", "r0", "unstable"].map { Route("GET", "/_matrix/client/\($0)/capabilities", capabilities) }
    }

    /// `GET /_matrix/client/versions` → the homeserver's, with our entries in `unstable_features`.
    func getVersions(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        try await merged(request) { document in
            let features = document["unstable_features"]?.object ?? JSONObject()
            document["unstable_features"] = .object(features.adding(gateway.unstableFeatures.members))
        }
    }

    /// `GET /_matrix/client/v3/capabilities` → the homeserver's, with `m.presence` in `capabilities`. Spec: MSC1862.
    func getCapabilities(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        try await merged(request) { document in
            guard var capabilities = document["capabilities"]?.object else { return }
            capabilities["m.presence"] = ["send_enabled": true, "receive_enabled": true]
            document["capabilities"] = .object(capabilities)
        }
    }

    /// The homeserver's answer, changed where it is a document; refusals and all else as they are.
    private func merged(
        _ request: MatrixRequest, _ change: (inout JSONObject) -> Void
    ) async throws(MatrixErrorBody) -> Answer {
        var call = try passing.call(for: request, hangup: await request.hangup())
        // To be read, and never answered with "not modified".
        call.method = "GET"
        call.headers[.acceptEncoding] = "identity"
        call.headers[.ifNoneMatch] = nil
        call.headers[.ifModifiedSince] = nil
        let body: [UInt8]
        let reply: Upstream.Reply
        do throws(UpstreamError) {
            reply = try await passing.upstream.send(call)
            body = try await reply.bytes(limit: MergedDocuments.limitBytes)
        } catch {
            throw error.refusal
        }
        var headers = Forwarding.endToEnd(reply.headers)
        var bytes = body
        if reply.status == 200, var document = (try? JSONParser.lenient.parse(body))?.value.object {
            change(&document)
            var writer = JSONWriter(capacity: body.count + 512)
            writer.object(document)
            bytes = writer.bytes
            for name in [HTTPField.Name.eTag, .contentMD5, .lastModified] { headers[name] = nil }
        }
        headers[.contentLength] = String(bytes.count)
        let isHead = request.method == "HEAD"
        return .passedOn(status: reply.status, headers: headers) { [bytes] writer in
            if !isHead { try await writer.write(ByteBuffer(bytes: bytes)) }
            try await writer.finish(nil)
        }
    }

    private static let limitBytes = 1 << 20
}

extension JSONObject {
    fileprivate func adding(_ members: [Member]) -> JSONObject {
        var object = self
        for member in members { object[member.key] = member.value }
        return object
    }
}

extension HTTPField.Name {
    fileprivate static let contentMD5 = HTTPField.Name("Content-MD5") ?? .eTag
}
