import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import ClientGateway

struct `A stream` {
    private let path = "\(GatewayBench.own)/presence/stream"

    @Test func `begins with the caller, and tells of requests that wait`() async throws {
        let bench = try await GatewayBench()
        let first = try await bench.ask("GET", "\(path)?timeout=0&set_presence=offline", as: "ada")
        #expect(first.json["events"]?.array?.count == 1)
        #expect(first.json["events"]?.array?[0]["content"]?["presence"] == "offline")
        let since = try #require(first.json["next_batch"]?.string)
        #expect(since.hasPrefix("p"))

        let quiet = try await bench.ask("GET", "\(path)?since=\(since)&set_presence=offline", as: "ada")
        #expect(quiet.json["events"] == [])
        _ = try await bench.told("PUT", "\(GatewayBench.own)/presence/list/@ada:x.org", as: "bob")
        let asked = try await bench.ask("GET", "\(path)?since=\(since)&set_presence=offline", as: "ada")
        let content = asked.json["events"]?.array?.first?["content"]
        #expect(content?["org.presenced.waiting_requests"] == 1, "\(asked.text)")
        let later = try #require(asked.json["next_batch"]?.string)
        #expect(later != since)
    }

    @Test func `seals its positions, takes those of earlier runs, and refuses what is none`() async throws {
        let seal = StreamPositionSeal()
        for (version, own) in [(0, 0), (12, 3), (UInt64.max, UInt64.max)] as [(UInt64, UInt64)] {
            let position = PresenceRuntime.StreamPosition(
                boot: 7, reached: PresenceEngine.Position(version: version, own: own))
            let text = seal.text(of: position)
            #expect(seal.position(of: text) == position && seal.text(of: position) == text)
            // Another run cannot read it, nor can anybody count by it.
            #expect(StreamPositionSeal().position(of: text) == .beginning)
            #expect(text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || $0 >= 0x30 })
        }
        #expect(seal.position(of: "p7_12_3") == .beginning)
        for text in ["", "p", "s7", "p 1", "p1/2", "p" + String(repeating: "a", count: 300)] {
            #expect(seal.position(of: text) == nil, "\(text)")
        }
        let bench = try await GatewayBench()
        #expect(try await bench.ask("GET", "\(path)?since=x", as: "ada").verdict == "400 M_INVALID_PARAM")
        #expect(try await bench.ask("GET", "\(path)?timeout=-1", as: "ada").verdict == "400 M_INVALID_PARAM")
    }

    @Test(arguments: [("online", "online"), ("unavailable", "unavailable"), ("offline", "offline")])
    func `says whether the device is in use`(word: String, state: String) async throws {
        let bench = try await GatewayBench()
        let reply = try await bench.ask("GET", "\(path)?timeout=0&set_presence=\(word)", as: "ada")
        #expect(reply.json["events"]?.array?.first?["content"]?["presence"]?.string == state, "\(reply.text)")
        let refused = try await bench.ask("GET", "\(path)?timeout=0&set_presence=busy", as: "ada")
        #expect(refused.verdict == "400 M_INVALID_PARAM")
    }

    @Test func `wakes for what others do`() async throws {
        let bench = try await GatewayBench()
        try await bench.runtime.perform(.entryAdded(observer: user("ada"), observed: user("bob"), note: nil, acl: nil))
        try await bench.runtime.perform(.requestAccepted(observed: user("bob"), observer: user("ada")))
        let first = try await bench.ask("GET", "\(path)?timeout=0", as: "ada")
        let since = try #require(first.json["next_batch"]?.string)
        async let waiting = bench.ask("GET", "\(path)?since=\(since)&timeout=60000", as: "ada")
        _ = try await bench.told("PUT", bench.status(of: "bob"), as: "bob", #"{"presence":"online"}"#)
        let senders = try await waiting.json["events"]?.array?.map { $0["sender"]?.string }
        #expect(senders == ["@bob:x.org"])
    }
}
