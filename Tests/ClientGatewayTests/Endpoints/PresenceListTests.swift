import MatrixWire
import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `A presence list` {
    private let list = "\(GatewayBench.own)/presence/list"
    private let stamp = GatewayBench.start.millisecondsSinceEpoch

    @Test func `asks, is granted, and loses sight when that is revoked`() async throws {
        let bench = try await GatewayBench()
        let put = #"{"note":"hello","acl":"a/1"}"#
        #expect(try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada", put) == #"{"state":"pending"}"#)
        let pending =
            #"{"user_id":"@bob:x.org","state":"pending","since_ts":\#(stamp),"note":"hello","acl":"a/1","groups":[]}"#
        #expect(try await bench.told("GET", list, as: "ada") == #"{"entries":[\#(pending)]}"#)
        #expect(try await bench.told("GET", "\(list)/@bob:x.org", as: "ada") == pending)
        #expect(
            try await bench.told("GET", "\(list)/requests", as: "bob")
                == #"{"requests":[{"user_id":"@ada:x.org","note":"hello","since_ts":\#(stamp)}]}"#)

        #expect(try await bench.told("POST", "\(list)/requests/@ada:x.org/accept", as: "bob") == "{}")
        #expect(try await bench.told("GET", "\(list)/requests", as: "bob") == #"{"requests":[]}"#)
        #expect(try await bench.told("GET", "\(list)/grants", as: "bob") == #"{"granted":["@ada:x.org"]}"#)
        let seen = try await bench.ask("GET", "\(list)/@bob:x.org", as: "ada").json
        #expect(seen["state"] == "accepted" && seen["presence"] == ["presence": "offline"])
        #expect(try await bench.ask("GET", bench.status(of: "bob"), as: "ada").verdict == "200")

        #expect(try await bench.told("DELETE", "\(list)/grants/@ada:x.org", as: "bob") == "{}")
        #expect(try await bench.ask("DELETE", "\(list)/grants/@ada:x.org", as: "bob").verdict == "404 M_NOT_FOUND")
        let denied = try await bench.ask("GET", "\(list)/@bob:x.org", as: "ada").json
        #expect(denied["state"] == "denied" && denied["presence"] == nil)
        #expect(try await bench.ask("GET", bench.status(of: "bob"), as: "ada").verdict == "403 M_FORBIDDEN")

        #expect(try await bench.told("DELETE", "\(list)/@bob:x.org", as: "ada") == "{}")
        #expect(try await bench.ask("GET", "\(list)/@bob:x.org", as: "ada").verdict == "404 M_NOT_FOUND")
    }

    @Test func `is refused for oneself, for nobody, and past its limit`() async throws {
        var engine = PresenceEngine.Configuration()
        engine.listEntriesPerUser = 1
        let bench = try await GatewayBench(users: ["ada", "bob", "cy"], engine: engine)
        #expect(try await bench.ask("PUT", "\(list)/@ada:x.org", as: "ada").verdict == "400 M_INVALID_PARAM")
        for name in ["@:x.org", "ada", "@ada", "@a%20b:x.org", "%ff"] {
            #expect(
                try await bench.ask("PUT", "\(list)/\(name)", as: "ada").verdict == "400 M_INVALID_PARAM", "\(name)")
        }
        _ = try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada")
        let full = try await bench.ask("PUT", "\(list)/@cy:x.org", as: "ada")
        #expect(full.verdict == "403 M_FORBIDDEN" && full.text.contains("1 entries"))
        // Who is nobody looks as one who denied.
        #expect(try await bench.told("PUT", "\(list)/@nobody:x.org", as: "bob") == #"{"state":"denied"}"#)
    }

    @Test func `can be denied and blocked`() async throws {
        let bench = try await GatewayBench()
        _ = try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada")
        #expect(try await bench.told("POST", "\(list)/requests/@ada:x.org/deny", as: "bob") == "{}")
        let again = try await bench.ask("POST", "\(list)/requests/@ada:x.org/deny", as: "bob")
        #expect(again.verdict == "404 M_NOT_FOUND")
        #expect(try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada") == #"{"state":"pending"}"#)
        #expect(try await bench.told("POST", "\(list)/requests/@ada:x.org/block", as: "bob") == "{}")
        #expect(try await bench.told("GET", "\(list)/blocks", as: "bob") == #"{"blocked":["@ada:x.org"]}"#)
        #expect(try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada") == #"{"state":"denied"}"#)
        #expect(try await bench.told("DELETE", "\(list)/blocks/@ada:x.org", as: "bob") == "{}")
        #expect(try await bench.told("PUT", "\(list)/blocks/@cy:other.org", as: "bob") == "{}")
        #expect(try await bench.told("GET", "\(list)/blocks", as: "bob") == #"{"blocked":["@cy:other.org"]}"#)
        #expect(try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada") == #"{"state":"pending"}"#)
        #expect(try await bench.ask("PUT", "\(list)/blocks/@bob:x.org", as: "bob").verdict == "400 M_INVALID_PARAM")
    }

    @Test func `has groups`() async throws {
        let bench = try await GatewayBench(users: ["ada", "bob", "cy"])
        let groups = "\(list)/groups"
        _ = try await bench.told("PUT", "\(groups)/caf%C3%A9", as: "ada")
        _ = try await bench.told("PUT", "\(groups)/office", as: "ada")
        _ = try await bench.told("PUT", "\(groups)/office", as: "ada", "{}")
        _ = try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada", #"{"groups":["office","café"]}"#)
        let unknown = try await bench.ask("PUT", "\(list)/@cy:x.org", as: "ada", #"{"groups":["play"]}"#)
        #expect(unknown.verdict == "404 M_NOT_FOUND")
        #expect(try await bench.ask("GET", "\(list)/@cy:x.org", as: "ada").verdict == "404 M_NOT_FOUND")
        _ = try await bench.told("PUT", "\(list)/@cy:x.org", as: "ada")
        _ = try await bench.told("PUT", "\(groups)/office/members/@cy:x.org", as: "ada")
        #expect(
            try await bench.told("GET", groups, as: "ada")
                == #"{"groups":[{"members":["@bob:x.org"],"name":"café"},"#
                + #"{"members":["@bob:x.org","@cy:x.org"],"name":"office"}]}"#)
        let office = try await bench.ask("GET", "\(list)?group=office", as: "ada").json["entries"]?.array
        #expect(office?.map { $0["user_id"] } == ["@bob:x.org", "@cy:x.org"])
        #expect(try await bench.ask("GET", "\(list)?group=play", as: "ada").verdict == "404 M_NOT_FOUND")
        #expect(try await bench.ask("GET", "\(list)?group=", as: "ada").verdict == "400 M_INVALID_PARAM")

        _ = try await bench.told("PUT", "\(groups)/office", as: "ada", #"{"name":"job"}"#)
        let taken = try await bench.ask("PUT", "\(groups)/job", as: "ada", #"{"name":"café"}"#)
        #expect(taken.verdict == "400 M_INVALID_PARAM")
        let missing = try await bench.ask("PUT", "\(groups)/office", as: "ada", #"{"name":"x"}"#)
        #expect(missing.verdict == "404 M_NOT_FOUND")
        // An entry is moved as a whole; without a word on groups it stays.
        _ = try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada", #"{"groups":["job"]}"#)
        _ = try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada", #"{"note":"n"}"#)
        #expect(try await bench.ask("GET", "\(list)/@bob:x.org", as: "ada").json["groups"] == ["job"])
        _ = try await bench.told("DELETE", "\(groups)/job/members/@cy:x.org", as: "ada")
        #expect(try await bench.ask("GET", "\(list)/@cy:x.org", as: "ada").json["groups"] == [])
        _ = try await bench.told("DELETE", "\(groups)/job", as: "ada")
        #expect(try await bench.ask("DELETE", "\(groups)/job", as: "ada").verdict == "404 M_NOT_FOUND")
        #expect(try await bench.ask("GET", "\(list)/@bob:x.org", as: "ada").json["groups"] == [])
        let stranger = try await bench.ask("PUT", "\(groups)/caf%C3%A9/members/@no:x.org", as: "ada")
        #expect(stranger.verdict == "404 M_NOT_FOUND")
    }

    @Test func `is answered by policy`() async throws {
        let bench = try await GatewayBench()
        let policy = "\(list)/policy"
        #expect(try await bench.told("GET", policy, as: "bob") == #"{"policy":null}"#)
        #expect(try await bench.told("PUT", policy, as: "bob", #"{"policy":"accept_all"}"#) == "{}")
        #expect(try await bench.told("GET", policy, as: "bob") == #"{"policy":"accept_all"}"#)
        #expect(try await bench.told("PUT", "\(list)/@bob:x.org", as: "ada") == #"{"state":"accepted"}"#)
        _ = try await bench.told("PUT", policy, as: "bob", #"{"policy":null}"#)
        #expect(try await bench.told("GET", policy, as: "bob") == #"{"policy":null}"#)
    }
}
