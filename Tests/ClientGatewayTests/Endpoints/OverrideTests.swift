import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `An override` {
    private let path = "/_matrix/client/unstable/support.feline.msc4043.v1/presence/@ada:x.org/override"

    @Test func `goes before what was chosen until it is taken away`() async throws {
        let bench = try await GatewayBench()
        _ = try await bench.told("PUT", bench.status(of: "ada"), as: "ada", #"{"presence":"online","status_msg":"a"}"#)
        #expect(try await bench.told("GET", path, as: "ada") == #"{"presence_override":""}"#)
        let put = #"{"presence_override":"busy","status_msg":"b","org.presenced.timeout_ms":60000}"#
        #expect(try await bench.told("PUT", path, as: "ada", put) == "{}")
        let until = GatewayBench.start.millisecondsSinceEpoch + 60_000
        #expect(
            try await bench.told("GET", path, as: "ada")
                == #"{"presence_override":"busy","status_msg":"b","org.presenced.until_ts":\#(until)}"#)
        #expect(
            try await bench.told("GET", bench.status(of: "ada"), as: "ada")
                == #"{"presence":"org.matrix.msc3026.busy","last_active_ago":0,"status_msg":"b","#
                + #""org.presenced.state":"busy","org.presenced.chosen":"online","#
                + #""org.presenced.override":{"presence":"busy","until_ts":\#(until)}}"#)
        // The stable path is the same thing.
        let stable = "/_matrix/client/v1/presence/@ada:x.org/override"
        #expect(try await bench.told("DELETE", stable, as: "ada") == "{}")
        #expect(try await bench.told("GET", path, as: "ada") == #"{"presence_override":""}"#)
        #expect(try await bench.told("GET", bench.status(of: "ada"), as: "ada").contains(#""status_msg":"a""#))
        _ = try await bench.told("PUT", stable, as: "ada", #"{"presence_override":"hidden"}"#)
        _ = try await bench.told("PUT", path, as: "ada", #"{"presence_override":""}"#)
        #expect(try await bench.told("GET", stable, as: "ada") == #"{"presence_override":""}"#)
    }

    @Test func `is one's own alone, and its text has a limit`() async throws {
        let bench = try await GatewayBench { $0.statusTextLimitBytes = 4 }
        for (method, body) in [("GET", ""), ("PUT", #"{"presence_override":"busy"}"#), ("DELETE", "")] {
            #expect(try await bench.ask(method, path, as: "bob", body).verdict == "403 M_FORBIDDEN")
        }
        let long = #"{"presence_override":"busy","status_msg":"12345"}"#
        #expect(try await bench.ask("PUT", path, as: "ada", long).verdict == "413 M_TOO_LARGE")
        #expect(try await bench.ask("PUT", path, as: "ada", "{}").verdict == "400 M_MISSING_PARAM")
    }
}
