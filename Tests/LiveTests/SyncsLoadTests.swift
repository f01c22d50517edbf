import MatrixWire
import Testing

/// Clients that sync through presenced, a few of them. Full size: `presence-lab measure --syncs`.
@Suite struct `Syncs in front of a homeserver` {
    @Test(.timeLimit(.minutes(3)))
    func `are all held and answered, and no more of them reach the homeserver`() async throws {
        let child = try Child(
            Scene.presenceLab,
            [
                "measure", "--syncs", "--syncs-clients", "40", "--syncs-requests", "10", "--seconds", "1", "--json",
                "--presenced", Scene.presenced,
            ])
        #expect(await child.end() == 0, "\(child.text)")
        let report = try #require(child.text.split(separator: "\n").last { $0.hasPrefix("{") })
        let measurements = try JSONParser.lenient.parse(Array(report.utf8)).value["measurements"]?.array ?? []
        #expect(measurements.count == 2)
        func figure(_ name: String, _ measurement: JSONValue) throws -> Double {
            let value = try #require(measurement["figures"]?[name]?["value"], "no figure \(name)")
            switch value {
            case .integer(let integer): return Double(integer)
            case .fraction(let text): return try #require(Double(text))
            default: throw Child.Failure(description: "\(name) is no number")
            }
        }
        let waiting = try #require(measurements.first)
        #expect(try figure("held at once", waiting) == 40)
        #expect(try figure("answered with 200, not too early", waiting) == 80)
        #expect(try figure("syncs that the clients sent", waiting) == 120)
        #expect(try figure("syncs that the homeserver saw", waiting) == 120)
        // Each token once.
        #expect(try figure("whoami that it saw", waiting) == 40)
        #expect(try figure("other requests that it saw", waiting) == 0)
        let quick = try #require(measurements.last)
        // As many again do not count.
        #expect(try figure("syncs that the clients sent through", quick) == 40)
        #expect(try figure("syncs that the homeserver saw of them", quick) == 40)
        #expect(try figure("whoami that it saw", quick) == 2)
        #expect(try figure("other requests that it saw", quick) == 0)
        for name in ["straight, median", "filtered out, median", "merged, median", "merged, 99 %"] {
            #expect(try figure(name, quick) > 0, "\(name)")
        }
    }
}
