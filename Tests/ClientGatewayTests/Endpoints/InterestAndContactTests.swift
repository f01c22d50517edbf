import MatrixWire
import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `An interest` {
    private let path = "\(GatewayBench.own)/presence/interest"

    @Test func `holds for its time, and is what was asked for`() async throws {
        let bench = try await GatewayBench()
        let start = GatewayBench.start.millisecondsSinceEpoch
        #expect(try await bench.told("GET", path, as: "ada") == #"{"implied":true}"#)
        #expect(
            try await bench.told("PUT", path, as: "ada", #"{"list":true}"#) == #"{"until_ts":\#(start + 300_000)}"#)
        #expect(
            try await bench.told("GET", path, as: "ada") == #"{"list":true,"until_ts":\#(start + 300_000)}"#)
        _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/groups/work", as: "ada")
        _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/@bob:x.org", as: "ada")
        let some = #"{"groups":["work"],"users":["@bob:x.org"],"timeout_ms":999999999999}"#
        let until = start + 3_600_000
        #expect(try await bench.told("PUT", path, as: "ada", some) == #"{"until_ts":\#(until)}"#)
        #expect(
            try await bench.told("GET", path, as: "ada")
                == #"{"groups":["work"],"until_ts":\#(until),"users":["@bob:x.org"]}"#)
        #expect(try await bench.told("DELETE", path, as: "ada") == "{}")
        #expect(try await bench.told("GET", path, as: "ada") == #"{"implied":true}"#)
        _ = try await bench.told("PUT", path, as: "ada", #"{"list":true,"timeout_ms":1}"#)
        bench.clock.move(by: .milliseconds(1))
        #expect(try await bench.told("GET", path, as: "ada") == #"{"implied":true}"#)
    }

    @Test func `in strangers and groups that are not there is refused`() async throws {
        let bench = try await GatewayBench()
        let stranger = try await bench.ask("PUT", path, as: "ada", #"{"users":["@bob:x.org"]}"#)
        #expect(stranger.verdict == "403 M_FORBIDDEN")
        let group = try await bench.ask("PUT", path, as: "ada", #"{"groups":["work"]}"#)
        #expect(group.verdict == "404 M_NOT_FOUND")
    }
}

struct `The contact policy` {
    private let path = "\(GatewayBench.own)/contact_policy"

    @Test func `is kept but for what is named`() async throws {
        let bench = try await GatewayBench()
        #expect(
            try await bench.told("GET", path, as: "ada")
                == #"{"busy":"nobody","free_for_chat":"anyone","offline":"list","online":"list","#
                + #""refuse_invites":false,"unavailable":"list"}"#)
        let changed =
            #"{"busy":{"group":"close"},"free_for_chat":"anyone","offline":"anyone","online":"list","#
            + #""refuse_invites":true,"unavailable":"list"}"#
        let put = #"{"busy":{"group":"close"},"offline":"anyone","refuse_invites":true}"#
        #expect(try await bench.ask("PUT", path, as: "ada", put).verdict == "404 M_NOT_FOUND")
        _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/groups/close", as: "ada", "{}")
        #expect(try await bench.told("PUT", path, as: "ada", put) == changed)
        #expect(try await bench.told("GET", path, as: "ada") == changed)
        #expect(try await bench.told("PUT", path, as: "ada", #"{"offline":"anyone"}"#) == changed)
        let odd = try await bench.ask("PUT", path, as: "ada", #"{"refuse_invites":"yes"}"#)
        #expect(odd.verdict == "400 M_BAD_JSON")
    }

    @Test func `is asked by one of the two`() async throws {
        let bench = try await GatewayBench(users: ["ada", "bob", "cy"])
        let check = "\(path)/check"
        let toBob = #"{"to":"@bob:x.org"}"#
        let no = #"{"allowed":false,"decided_here":true}"#
        let yes = #"{"allowed":true,"decided_here":true}"#
        #expect(try await bench.told("POST", check, as: "ada", toBob) == no)
        #expect(try await bench.told("POST", check, as: "bob", #"{"from":"@ada:x.org"}"#) == no)
        let chatty = #"{"presence":"online","org.presenced.state":"free_for_chat"}"#
        _ = try await bench.told("PUT", bench.status(of: "bob"), as: "bob", chatty)
        #expect(try await bench.told("POST", check, as: "ada", toBob) == yes)
        _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/blocks/@ada:x.org", as: "bob")
        #expect(try await bench.told("POST", check, as: "ada", toBob) == no)
        #expect(try await bench.told("POST", check, as: "ada", #"{"to":"@nobody:x.org"}"#) == no)
        #expect(
            try await bench.told("POST", check, as: "ada", #"{"to":"@cy:other.org"}"#)
                == #"{"allowed":true,"decided_here":false}"#)
        let others = #"{"from":"@ada:x.org","to":"@bob:x.org"}"#
        #expect(try await bench.ask("POST", check, as: "cy", others).verdict == "403 M_FORBIDDEN")
        #expect(try await bench.ask("POST", check, as: "ada", "{}").verdict == "400 M_MISSING_PARAM")
    }
}
