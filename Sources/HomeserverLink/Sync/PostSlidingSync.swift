import AsyncHTTPClient
import MatrixHTTP
import MatrixWire
import NIOCore
import PresenceEngine
import PresenceModel

extension SyncGateway {
    /// `POST /_matrix/client/v4/sync`, simplified sliding sync: the homeserver's answer, and for clients that ask for the
    /// extension `org.presenced.presence`, presence in it. Form: `Spec/SlidingSync.md`.
    ///
    /// `set_presence`, in the query or the body, as in ``getSync(_:)``. The body goes on byte for byte. MSC4186.
    func postSlidingSync(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let announced = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= configuration.bodyLimitBytes, let caller = try? await tokens.caller(of: request),
            caller.kind != .applicationService
        else { return try await pass.answer(request) }
        let hangup = await request.hangup()
        var call = try pass.call(for: request, hangup: hangup)
        let body = try await request.bodyBytes(limit: configuration.bodyLimitBytes)
        call.body = .bytes(ByteBuffer(bytes: body))
        // What is no JSON is the homeserver's to refuse.
        let asked = (try? JSONParser.lenient.parse(body).value) ?? .null
        func parameter(_ name: String) throws(MatrixErrorBody) -> String? {
            try request.queryValue(name) ?? asked[name]?.string
        }
        let word = try parameter("set_presence")
        guard let presence = SetPresence(rawValue: word ?? SetPresence.online.rawValue) else { throw .badSetPresence }
        if let timeout = asked["timeout"]?.integer, try request.queryValue("timeout") == nil {
            call.wait = .milliseconds(min(max(timeout, 0), 86_400_000))
        }
        var wish: Wish?
        if asked["extensions"]?[SyncGateway.slidingExtension]?["enabled"]?.bool == true {
            // Positions of one connection mean nothing in another.
            let realm = "sliding \(asked["conn_id"]?.string ?? "")"
            let token = try parameter("pos").flatMap { $0.isEmpty ? nil : $0 }
            wish = Wish(
                shape: .slidingSync, key: caller.key, filter: .everything,
                start: start(of: caller.key, token: token, realm: realm, isFull: false), realm: realm)
        }
        return try await answer(request, by: call, on: caller.key, presence, wish)
    }

    /// The key among the extensions of request and answer.
    static let slidingExtension = "org.presenced.presence"
}
