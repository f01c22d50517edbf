import AdminGateway
import BridgeEngine
import BridgeGateway
import Foundation
import MatrixWire
import PresenceModel
import SocialBridge
import SocialEngine
import Testing

@Suite struct `The operator of the bridge` {
    private static let links = "\(GatewayBench.admin)/links"

    private func addresses(_ bench: GatewayBench) async throws -> [String] {
        let answer = try await bench.told("GET", `The operator of the bridge`.links)
        return (answer["links"]?.array ?? []).map { "\($0["user"]?.string ?? "") \($0["address"]?.string ?? "")" }
    }

    @Test func `links users to addresses, in the place of what was said before`() async throws {
        let bench = try GatewayBench()
        let path = "\(`The operator of the bridge`.links)/@ann:x.org"
        _ = try await bench.told("PUT", path, #"{"address":"0xABC"}"#)
        #expect(try await addresses(bench) == ["@ann:x.org 0xabc"])
        _ = try await bench.told("PUT", path, #"{"address":"0xdef"}"#)
        #expect(try await addresses(bench) == ["@ann:x.org 0xdef"])
        // Who has it stays.
        let refused = try await bench.ask(
            "PUT", "\(`The operator of the bridge`.links)/@bob:x.org", #"{"address":"0xDEF"}"#)
        #expect(
            refused.status == 409 && refused.body["error"]?.string?.contains("@ann:x.org is linked to 0xdef") == true)
        // In our own service, the second, nobody has another name.
        for (runtime, linked) in zip(bench.runtimes, [["0xdef"], []]) {
            #expect(await runtime.read { engine, _ in engine.links(by: .operator).map(\.address.text) } == linked)
        }
        _ = try await bench.told("DELETE", path)
        #expect(try await addresses(bench).isEmpty)
        _ = try await bench.told("DELETE", path)
    }

    @Test func `does not overrule a proof, but takes it away`() async throws {
        let bench = try GatewayBench()
        let wallet = try Wallet(1)
        _ = try await bench.told(
            "PUT", "\(GatewayBench.own)/link", wallet.proof(for: "ann", at: bench.clock.now), as: "ann")
        let path = "\(`The operator of the bridge`.links)/@ann:x.org"
        #expect(try await bench.ask("PUT", path, #"{"address":"0xdef"}"#).status == 409)
        _ = try await bench.told("DELETE", path)
        _ = try await bench.told("PUT", path, #"{"address":"0xdef"}"#)
        #expect(try await addresses(bench) == ["@ann:x.org 0xdef"])
    }

    @Test func `is refused what is no user of ours, no address, or too much`() async throws {
        let bench = try GatewayBench { $0.linksLimit = 1 }
        let links = `The operator of the bridge`.links
        for (path, body) in [
            ("\(links)/ann", #"{"address":"0xa"}"#), ("\(links)/@ann:other.org", #"{"address":"0xa"}"#),
            ("\(links)/@ann:x.org", #"{"address":"a b"}"#), ("\(links)/@ann:x.org", #"{"address":"@bob:x.org"}"#),
            ("\(links)/@ann:x.org", "{}"), ("\(GatewayBench.admin)/users/@ann:x.org", #"{"privacy":"x"}"#),
        ] {
            #expect(try await bench.ask("PUT", path, body).status == 400, "\(path) \(body)")
        }
        #expect(try await bench.ask("GET", "\(links)?limit=0").status == 400)
        #expect(try await bench.ask("GET", "\(links)?from=x").status == 400)
        _ = try await bench.told("PUT", "\(links)/@ann:x.org", #"{"address":"0xa"}"#)
        #expect(try await bench.ask("PUT", "\(links)/@bob:x.org", #"{"address":"0xb"}"#).status == 403)
        // Which makes room for itself.
        _ = try await bench.told("PUT", "\(links)/@ann:x.org", #"{"address":"0xb"}"#)
    }

    @Test func `reads links page by page, those by rule of who takes part too`() async throws {
        let bench = try GatewayBench { $0.participation = .optOut }
        let ruled = try UserID(parsing: "@0x\(String(repeating: "a", count: 40)):x.org")
        for runtime in bench.runtimes { await runtime.submit(.userKnown(ruled)) }
        for number in 0..<5 {
            _ = try await bench.told(
                "PUT", "\(`The operator of the bridge`.links)/@u\(number):x.org", #"{"address":"0x\#(number)"}"#)
        }
        var (from, users, pages) = ("", [String](), 0)
        repeat {
            let page = try await bench.told("GET", "\(`The operator of the bridge`.links)?limit=2\(from)")
            #expect(page["total"]?.integer == 6)
            users += (page["links"]?.array ?? []).compactMap { $0["user"]?.string }
            from = (page["next"]?.string).map { "&from=\($0)" } ?? ""
            pages += 1
        } while !from.isEmpty && pages < 9
        #expect(users == [ruled.text] + (0..<5).map { "@u\($0):x.org" } && pages == 3)
        let first = try await bench.told("GET", "\(`The operator of the bridge`.links)?limit=1")
        #expect(first["links"]?.array?.first?["sources"] == ["rule"])
        #expect(first["links"]?.array?.first?["live"] == true)
    }

    @Test func `chooses for a user, and sees what the user sees`() async throws {
        let bench = try GatewayBench()
        let user = "\(GatewayBench.admin)/users/@ann:x.org"
        _ = try await bench.told("PUT", "\(`The operator of the bridge`.links)/@ann:x.org", #"{"address":"0xa"}"#)
        #expect(try await bench.told("GET", user)["participates"] == false)
        _ = try await bench.told("PUT", user, #"{"participates":true,"privacy":"hidden"}"#)
        let seen = try await bench.told("GET", user)
        #expect(seen["participates"] == true && seen["privacy"] == "hidden" && seen["sources"] == ["operator"])
        #expect(seen == (try await bench.told("GET", GatewayBench.own, as: "ann")))
    }

    @Test func `sees how it stands with each service, and counts it`() async throws {
        let bench = try GatewayBench { $0.participation = .optOut }
        _ = try await bench.told("PUT", "\(`The operator of the bridge`.links)/@ann:x.org", #"{"address":"0xa"}"#)
        let services = try await bench.told("GET", GatewayBench.admin)["services"]?.array ?? []
        #expect(services.map { $0["service"]?.string } == ["external", "embedded"])
        let external = try #require(services.first)
        #expect(external["url"] == "wss://s.example:443/" && external["generation"] == "v2")
        #expect(external["links"] == 1 && external["members"] == 1 && external["connections_limit"] == 20)
        #expect(external["failures"] == ["unauthorized": 2, "unreachable": 1])
        #expect(services.last?["url"] == nil && services.last?["credentials_in_file"] == nil)
        #expect(external["credentials_handed_over"] == 0 && external["credentials_in_file"] == 0)
        let text = String(
            decoding: MetricsText.write(BridgeReport.metrics(await bench.desk.reports())), as: UTF8.self)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.contains(#"presenced_bridge_links{service="external"} 1"#))
        #expect(lines.contains(#"presenced_bridge_failures_total{service="embedded",kind="unreachable"} 1"#))
        let types = lines.filter { $0.hasPrefix("# TYPE") }
        #expect(types.count == 20 && Set(types).count == 20)
    }

    @Test func `has a file, whose lines count less and go when they are gone`() async throws {
        let bench = try GatewayBench()
        func link(_ user: String, _ address: String) throws -> Link {
            Link(user: try UserID(parsing: user), address: try SocialAddress(parsing: address))
        }
        await bench.desk.take([try link("@ann:x.org", "0xa"), try link("@bob:x.org", "0xb")])
        #expect(try await addresses(bench) == ["@ann:x.org 0xa", "@bob:x.org 0xb"])
        _ = try await bench.told("PUT", "\(`The operator of the bridge`.links)/@cy:x.org", #"{"address":"0xb"}"#)
        await bench.desk.take([try link("@ann:x.org", "0xd")])
        #expect(try await addresses(bench) == ["@ann:x.org 0xd", "@cy:x.org 0xb"])
        // What counted more is gone: the line holds again.
        await bench.desk.take([try link("@ann:x.org", "0xd"), try link("@bob:x.org", "0xb")])
        #expect(try await addresses(bench) == ["@ann:x.org 0xd", "@cy:x.org 0xb"])
        _ = try await bench.told("DELETE", "\(`The operator of the bridge`.links)/@cy:x.org")
        #expect(try await addresses(bench) == ["@ann:x.org 0xd", "@bob:x.org 0xb"])
        await bench.desk.take([])
        #expect(try await addresses(bench).isEmpty)
    }
}
