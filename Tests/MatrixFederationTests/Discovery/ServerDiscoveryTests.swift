import PresenceModel
import Testing

@testable import MatrixFederation

struct `Server discovery` {
    private var chance = SeededGenerator(seed: 1)

    /// The steps asked for on the way, then where it led.
    private mutating func walk(
        _ server: String, delegation: String? = nil, services: [String: [ServiceRecord]] = [:]
    ) throws -> (asked: [String], end: ServerDiscovery.Step) {
        var discovery = ServerDiscovery(of: try ServerName(parsing: server))
        var asked: [String] = []
        while asked.count < 10 {
            switch discovery.step {
            case .fetchWellKnown(let host):
                asked.append("well-known \(host)")
                discovery.take(delegation: try delegation.map { try ServerName(parsing: $0) })
            case .lookUpServices(let name):
                asked.append(name)
                discovery.take(services: services[name] ?? [], using: &chance)
            case .settled, .closed: return (asked, discovery.step)
            }
        }
        throw CancellationError()
    }

    private func route(_ step: String, _ host: String, _ name: String, _ targets: [(String, Int)])
        -> ServerDiscovery.Step
    {
        .settled(
            ServerRoute(
                targets: targets.map { .init(host: $0.0, port: $0.1) }, host: host, certificateName: name, step: step))
    }

    @Test mutating func `asks nothing for an address or a port: steps 1 and 2`() throws {
        for (server, step, name, port) in [
            ("192.0.2.7", "1", "192.0.2.7", 8448), ("192.0.2.7:99", "1", "192.0.2.7", 99),
            ("[2001:db8::1]", "1", "2001:db8::1", 8448), ("[2001:db8::1]:99", "1", "2001:db8::1", 99),
            ("a.org:443", "2", "a.org", 443),
        ] {
            let (asked, end) = try walk(server)
            #expect(asked.isEmpty && end == route(step, server, name, [(name, port)]), "\(server)")
        }
    }

    @Test mutating func `goes where the document says: steps 3.1 and 3.2`() throws {
        for (delegation, step, name, port) in [
            ("192.0.2.7", "3.1", "192.0.2.7", 8448), ("[2001:db8::1]:99", "3.1", "2001:db8::1", 99),
            ("m.a.org:443", "3.2", "m.a.org", 443),
        ] {
            let (asked, end) = try walk("a.org", delegation: delegation)
            #expect(asked == ["well-known a.org"] && end == route(step, delegation, name, [(name, port)]))
        }
    }

    @Test mutating func `looks up services of the delegate, current before deprecated: steps 3.3 to 3.5`() throws {
        let record = ServiceRecord(priority: 0, weight: 0, port: 7, host: "x.net")
        let current = try walk("a.org", delegation: "m.org", services: ["_matrix-fed._tcp.m.org": [record]])
        #expect(current.asked == ["well-known a.org", "_matrix-fed._tcp.m.org"])
        #expect(current.end == route("3.3", "m.org", "m.org", [("x.net", 7)]))
        let deprecated = try walk("a.org", delegation: "m.org", services: ["_matrix._tcp.m.org": [record]])
        #expect(deprecated.asked == ["well-known a.org", "_matrix-fed._tcp.m.org", "_matrix._tcp.m.org"])
        #expect(deprecated.end == route("3.4", "m.org", "m.org", [("x.net", 7)]))
        let neither = try walk("a.org", delegation: "m.org")
        #expect(neither.end == route("3.5", "m.org", "m.org", [("m.org", 8448)]))
    }

    @Test mutating func `looks up services of the server itself where it does not delegate: steps 4 to 6`() throws {
        let record = ServiceRecord(priority: 0, weight: 0, port: 7, host: "x.net")
        let current = try walk("a.org", services: ["_matrix-fed._tcp.a.org": [record]])
        #expect(current.end == route("4", "a.org", "a.org", [("x.net", 7)]))
        let deprecated = try walk("a.org", services: ["_matrix._tcp.a.org": [record]])
        #expect(deprecated.end == route("5", "a.org", "a.org", [("x.net", 7)]))
        let neither = try walk("a.org")
        #expect(neither.asked == ["well-known a.org", "_matrix-fed._tcp.a.org", "_matrix._tcp.a.org"])
        #expect(neither.end == route("6", "a.org", "a.org", [("a.org", 8448)]))
    }

    @Test mutating func `ends where DNS says that there is no such service`() throws {
        let none = ServiceRecord(priority: 0, weight: 0, port: 0, host: "")
        #expect(try walk("a.org", services: ["_matrix-fed._tcp.a.org": [none]]).end == .closed)
    }

    @Test mutating func `tries services by priority, and of the same priority by weight`() {
        let records = [
            ServiceRecord(priority: 20, weight: 5, port: 1, host: "last"),
            ServiceRecord(priority: 10, weight: 90, port: 1, host: "often"),
            ServiceRecord(priority: 10, weight: 10, port: 1, host: "seldom"),
            ServiceRecord(priority: 10, weight: 0, port: 1, host: "hardly"),
        ]
        var firsts: [String: Int] = [:]
        for _ in 0..<2000 {
            let order = ServiceRecord.ordered(records, using: &chance).map(\.host)
            #expect(order.count == 4 && order.last == "last")
            firsts[order[0], default: 0] += 1
        }
        #expect((1600...1950).contains(firsts["often"] ?? 0) && (50...350).contains(firsts["seldom"] ?? 0))
        #expect(firsts["hardly"] ?? 0 < 60 && firsts["last"] == nil)
    }

    @Test mutating func `tries no more than some of many services`() throws {
        let many = (0..<100).map { ServiceRecord(priority: $0, weight: 0, port: 7, host: "h\($0).net") }
        guard case .settled(let route) = try walk("a.org", services: ["_matrix-fed._tcp.a.org": many]).end else {
            throw CancellationError()
        }
        #expect(route.targets.map(\.host) == (0..<ServerDiscovery.targetsLimit).map { "h\($0).net" })
    }
}
