import AsyncHTTPClient
import Foundation
import MatrixWire
import Testing

/// Input of every bad kind, over real sockets: the right refusal, and everything is there afterwards.
@Suite(.serialized) struct `Malformed input` {
    @Test(.timeLimit(.minutes(2))) func `from clients and from servers is refused, and nothing is lost`() async throws {
        let pair = try await `Two servers`.pair()
        let server = pair.north
        let ada = try await server.user("ada")
        #expect(try await server.put(ada, "online", text: "kept").status == 200)
        let client = pair.scene.client
        let status = "\(server.url)/_matrix/client/v3/presence/\(PercentEncoding.encode(ada.id))/status"
        let nested = String(repeating: "[", count: 100_000)
        let cases: [(method: String, url: String, body: [UInt8], status: Int, errcode: String)] = [
            ("PUT", status, Array("{".utf8), 400, "M_NOT_JSON"),
            ("PUT", status, Array("[1]".utf8), 400, "M_BAD_JSON"),
            ("PUT", status, Array(#"{"presence":"\#(nested)"#.utf8), 413, "M_TOO_LARGE"),
            ("PUT", status, Array((#"{"presence":"# + String(repeating: "[", count: 30_000)).utf8), 400, "M_NOT_JSON"),
            ("PUT", status, [0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x7D], 400, "M_NOT_JSON"),
            ("PUT", status, [UInt8](repeating: 0x20, count: 10 << 20), 413, "M_TOO_LARGE"),
            ("PUT", status, Array(#"{"presence":7}"#.utf8), 400, "M_UNKNOWN"),
            ("POST", status, Array("{}".utf8), 405, "M_UNRECOGNIZED"),
            ("GET", "\(server.url)/_matrix/client/v3/nowhere", [], 404, "M_UNRECOGNIZED"),
            ("GET", "\(server.url)/", [], 404, "M_UNRECOGNIZED"),
            ("GET", "\(server.url)\(Presenced.own)/stream?timeout=soon", [], 400, "M_INVALID_PARAM"),
            ("GET", "\(server.url)\(Presenced.own)/stream?since=junk", [], 400, "M_INVALID_PARAM"),
        ]
        for item in cases {
            let body = item.body.isEmpty ? nil : item.body
            let reply = try await client.ask(item.method, item.url, token: ada.token, body: body)
            let isRight = reply.status == item.status && reply.errcode == item.errcode
            #expect(isRight, "\(item.method) \(item.url): \(reply)")
        }
        let send = "\(server.federationURL)/_matrix/federation/v1/send"
        let federation: [(method: String, url: String, body: [UInt8], status: Int, errcode: String)] = [
            ("PUT", "\(send)/1", Array("{}".utf8), 401, "M_UNAUTHORIZED"),
            // Without a name that has a key no body is looked at.
            ("PUT", "\(send)/1", Array("{".utf8), 401, "M_UNAUTHORIZED"),
            ("PUT", "\(send)/1", [UInt8](repeating: 0x5B, count: 1 << 20), 401, "M_UNAUTHORIZED"),
            ("PUT", "\(send)/1", [UInt8](repeating: 0x20, count: 10 << 20), 413, "M_TOO_LARGE"),
            ("PUT", "\(send)/", Array("{}".utf8), 400, "M_INVALID_PARAM"),
            ("GET", "\(send)/1", [], 405, "M_UNRECOGNIZED"),
            ("GET", "\(server.federationURL)/_matrix/federation/v1/nothing", [], 404, "M_UNRECOGNIZED"),
        ]
        for item in federation {
            let body = item.body.isEmpty ? nil : item.body
            let reply = try await client.ask(item.method, item.url, body: body)
            let isRight = reply.status == item.status && reply.errcode == item.errcode
            #expect(isRight, "\(item.method) \(item.url): \(reply)")
        }
        let kept = try await server.status(of: ada.id, by: ada)
        #expect(kept.json["status_msg"]?.string == "kept" && kept.json["presence"]?.string == "online")
        #expect(await server.child.stop() == 0)
    }
}
