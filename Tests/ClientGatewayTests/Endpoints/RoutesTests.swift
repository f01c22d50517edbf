import MatrixWire
import PresenceModel
import Testing

@testable import ClientGateway
@testable import MatrixHTTP

struct `The client routes` {
    private func path(of pattern: String) -> String {
        var rest = ["@ada:x.org", "@bob:x.org"]
        if pattern.contains("/groups/*") { rest = ["work", "@bob:x.org"] }
        if pattern.contains("/devices/*") { rest = ["ADA"] }
        return pattern.split(separator: "/", omittingEmptySubsequences: false)
            .map { $0 == "*" ? rest.removeFirst() : String($0) }.joined(separator: "/")
    }

    @Test func `are for who has a token, but for the versions`() async throws {
        let bench = try await GatewayBench()
        for route in bench.routes.routes {
            let reply = try await bench.ask(route.method, path(of: route.pattern), as: nil, "{}")
            let isOpen = route.pattern == "/_matrix/client/versions"
            #expect(reply.verdict == (isOpen ? "200" : "401 M_MISSING_TOKEN"), "\(route.pattern)")
        }
    }

    @Test func `that change something are within the rate`() async throws {
        let bench = try await GatewayBench {
            $0.putsPerSecond = 0.001
            $0.putBurst = 1
        }
        _ = try await bench.told("PUT", bench.status(of: "ada"), as: "ada", #"{"presence":"online"}"#)
        var count = 0
        for route in bench.routes.routes where route.method != "GET" {
            let reply = try await bench.ask(route.method, path(of: route.pattern), as: "ada", "{}")
            #expect(reply.verdict == "429 M_LIMIT_EXCEEDED", "\(route.method) \(route.pattern)")
            count += 1
        }
        #expect(count >= 30)
    }

    @Test(arguments: [
        "", "[]", "{", "7", "{\"\":1}", "{\"presence\":{}}", "\"\\ud800\"", String(repeating: "[", count: 100),
    ])
    func `survive every body`(body: String) async throws {
        let bench = try await GatewayBench()
        for route in bench.routes.routes where route.method != "GET" {
            let reply = try await bench.ask(route.method, path(of: route.pattern), as: "ada", body)
            #expect([200, 400, 403, 404].contains(reply.status), "\(route.method) \(route.pattern): \(reply.text)")
        }
    }

    @Test func `refuse a body over the limit`() async throws {
        let bench = try await GatewayBench { $0.bodyLimitBytes = 10 }
        let reply = try await bench.ask("PUT", bench.status(of: "ada"), as: "ada", #"{"presence":"online"}"#)
        #expect(reply.verdict == "413 M_TOO_LARGE")
    }

    @Test func `say what they can`() async throws {
        let bench = try await GatewayBench()
        let features = try await bench.ask("GET", "/_matrix/client/versions", as: nil).json["unstable_features"]
        for flag in [
            "support.feline.msc4043.v1", "org.presenced.presence_list", "org.presenced.devices",
            "org.presenced.contact_policy", "org.matrix.msc3026.busy_presence",
        ] {
            #expect(features?[flag] == true, "\(flag)")
        }
    }
}
