import PresenceEngine
import PresenceModel
import Testing

@testable import ClientGateway

struct `A device` {
    private let path = "\(GatewayBench.own)/devices/ADA/presence"

    @Test func `reports once, and takes it back`() async throws {
        let bench = try await GatewayBench()
        #expect(try await bench.ask("GET", path, as: "ada").verdict == "404 M_NOT_FOUND")
        #expect(try await bench.told("GET", "\(GatewayBench.own)/devices", as: "ada") == #"{"devices":[]}"#)
        #expect(try await bench.told("PUT", path, as: "ada", #"{"idle_ms":90000,"type":"web"}"#) == "{}")
        bench.clock.move(by: .seconds(1))
        let idle =
            #"{"device_id":"ADA","connected":true,"listening":false,"idle_ms":91000,"last_active_ago":91000,"type":"web"}"#
        #expect(try await bench.told("GET", path, as: "ada") == idle)
        #expect(try await bench.told("GET", "\(GatewayBench.own)/devices", as: "ada") == #"{"devices":[\#(idle)]}"#)
        #expect(try await bench.told("PUT", path, as: "ada", #"{"active":true}"#) == "{}")
        #expect(
            try await bench.told("GET", path, as: "ada")
                == #"{"device_id":"ADA","connected":true,"listening":false,"last_active_ago":0,"type":"web"}"#)
        bench.clock.move(by: .minutes(1))
        #expect(
            try await bench.told("GET", path, as: "ada")
                == #"{"device_id":"ADA","connected":false,"listening":false,"type":"web"}"#)
        #expect(try await bench.told("DELETE", path, as: "ada") == "{}")
        bench.clock.move(by: .minutes(1))
        #expect(try await bench.ask("GET", path, as: "ada").verdict == "404 M_NOT_FOUND")
    }

    @Test func `speaks only for itself`() async throws {
        let bench = try await GatewayBench()
        let other = "\(GatewayBench.own)/devices/PHONE/presence"
        #expect(try await bench.ask("PUT", other, as: "ada", "{}").verdict == "403 M_FORBIDDEN")
        #expect(try await bench.ask("DELETE", other, as: "ada").verdict == "403 M_FORBIDDEN")
        #expect(try await bench.ask("PUT", path, as: "bob", "{}").verdict == "403 M_FORBIDDEN")
        for device in ["PHONE", "%00", ""] {
            let path = "\(GatewayBench.own)/devices/\(device)/presence"
            #expect(try await bench.ask("GET", path, as: "ada").verdict == "404 M_NOT_FOUND")
        }
        #expect(try await bench.ask("PUT", path, as: "ada", #"{"idle":1}"#).verdict == "400 M_BAD_JSON")
    }
}
