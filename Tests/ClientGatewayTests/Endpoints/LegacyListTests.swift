import MatrixWire
import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `The old presence list` {
    private func path(_ prefix: String, _ name: String) -> String {
        "/_matrix/client/\(prefix)/presence/list/@\(name):x.org"
    }

    @Test(arguments: ClientGateway.listPrefixes)
    func `shows who accepted, and is changed by invite and drop`(prefix: String) async throws {
        var engine = PresenceEngine.Configuration()
        engine.listPolicy = .acceptAll
        let bench = try await GatewayBench(users: ["ada", "bob", "cy"], engine: engine)
        let mine = path(prefix, "ada")
        #expect(try await bench.told("GET", mine, as: "ada") == "[]")
        let post = #"{"invite":["@bob:x.org","@cy:x.org","","@far:other.org"],"drop":["@cy:x.org"]}"#
        #expect(try await bench.told("POST", mine, as: "ada", post) == "{}")
        // Who did not answer yet is not shown.
        #expect(
            try await bench.told("GET", mine, as: "ada")
                == #"[{"user_id":"@bob:x.org","presence":"offline","accepted":true}]"#)
        _ = try await bench.told("PUT", bench.status(of: "bob"), as: "bob", #"{"presence":"online","status_msg":"b"}"#)
        #expect(
            try await bench.told("GET", mine, as: "ada")
                == #"[{"user_id":"@bob:x.org","presence":"online","last_active_ago":0,"status_msg":"b","#
                + #""currently_active":true,"accepted":true}]"#)
        #expect(try await bench.told("POST", mine, as: "ada", #"{"drop":["@bob:x.org","@never:x.org"]}"#) == "{}")
        #expect(try await bench.told("GET", mine, as: "ada") == "[]")
    }

    @Test func `refuses in the words of its time`() async throws {
        let bench = try await GatewayBench()
        func words(_ method: String, _ path: String, _ body: String = "") async throws -> String? {
            let reply = try await bench.ask(method, path, as: "ada", body)
            #expect(reply.status == 400, "\(reply.text)")
            return reply.json["error"]?.string
        }
        #expect(try await words("GET", path("r0", "bob")) == "Cannot get another user's presence list")
        #expect(try await words("POST", path("r0", "bob"), "{}") == "Cannot modify another user's presence list")
        let foreign = "/_matrix/client/r0/presence/list/@ada:other.org"
        #expect(try await words("GET", foreign) == "User not hosted on this Home Server")
        #expect(try await words("POST", foreign, "{}") == "User not hosted on this Home Server")
        #expect(try await words("POST", path("r0", "ada"), "no") == "Unable to parse content")
        #expect(try await words("POST", path("r0", "ada"), #"{"invite":[1]}"#) == "Bad invite value.")
        #expect(try await words("POST", path("r0", "ada"), #"{"drop":[1]}"#) == "Bad drop value.")
    }

    @Test func `does what it can when one invite fails`() async throws {
        let bench = try await GatewayBench(users: ["ada", "bob", "cy"])
        let post = #"{"invite":["@ada:x.org","nobody","@bob:x.org"],"drop":["@cy:x.org"]}"#
        _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/@cy:x.org", as: "ada")
        let reply = try await bench.ask("POST", path("r0", "ada"), as: "ada", post)
        #expect(reply.verdict == "400 M_INVALID_PARAM")
        let entries = try await bench.ask("GET", "\(GatewayBench.own)/presence/list", as: "ada").json["entries"]
        #expect(entries?.array?.map { $0["user_id"] } == ["@bob:x.org"])
    }

    @Test func `keeps what newer clients wrote`() async throws {
        let bench = try await GatewayBench()
        let entry = "\(GatewayBench.own)/presence/list/@bob:x.org"
        _ = try await bench.told("PUT", entry, as: "ada", #"{"note":"n","acl":"a"}"#)
        _ = try await bench.told("POST", path("r0", "ada"), as: "ada", #"{"invite":["@bob:x.org"]}"#)
        let kept = try await bench.ask("GET", entry, as: "ada").json
        #expect(kept["note"] == "n" && kept["acl"] == "a")
    }
}
