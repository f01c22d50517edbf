import ClientGateway
import FederationEngine
import Foundation
import HomeserverLink
import HummingbirdCore
import MatrixFederation
import MatrixWire
import NIOCore
import NIOPosix
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization
import Testing

@testable import MatrixHTTP

/// Merged syncs in front of a stub of a homeserver, over real sockets. `@ada:x.org` and `@bob:x.org` share a room;
/// their tokens are their names.
final class SyncBench: Sendable {
    let homeserver: StubHomeserver
    let runtime: PresenceRuntime
    let gateway: SyncGateway
    let clock: HandClock
    let disk: CursorDisk
    let port: Int
    private let upstream: Upstream
    private let server: Task<Void, any Error>

    /// - Parameters:
    ///   - disk: of a run before, if there was one.
    ///   - script: answers everything but whoami.
    init(
        disk: CursorDisk = CursorDisk(), boot: UInt64 = 7, clock: HandClock = HandClock(),
        _ configure: (inout SyncGateway.Configuration) -> Void = { _ in },
        _ script: @escaping StubHomeserver.Script
    ) async throws {
        self.disk = disk
        self.clock = clock
        homeserver = try await StubHomeserver { wire, request in
            guard request.firstLine.contains("/account/whoami") else { return try await script(wire, request) }
            let name = request.value(of: "Authorization")?.split(separator: " ").last ?? ""
            guard ["ada", "bob", "eve"].contains(name) else {
                let body = #"{"errcode":"M_UNKNOWN_TOKEN","error":"Invalid access token passed.","soft_logout":false}"#
                return try await wire.send(StubHomeserver.answer(401, body))
            }
            let body = #"{"user_id":"@\#(name):x.org","device_id":"\#(name.uppercased())"}"#
            try await wire.send(StubHomeserver.answer(200, body))
        }
        let name = try ServerName(parsing: "x.org")
        let group = MultiThreadedEventLoopGroup.singleton
        upstream = try Upstream(
            Upstream.Configuration(origin: try HomeserverOrigin(parsing: "http://127.0.0.1:\(homeserver.port)")),
            group: group, logger: LinkBench.quiet)
        let instance = PresenceInstance(
            presence: PresenceEngine(server: name, configuration: .init()),
            federation: FederationEngine(server: name, boot: boot, seed: 1))
        runtime = PresenceRuntime(
            instance: instance, clock: clock, journal: disk, delivery: NoDelivery(), boot: boot)
        await runtime.start(from: PresenceInstance.Snapshot())
        let forwarding = Forwarding(trustedProxies: [])
        let tokens = WhoamiTokens(
            server: name, upstream: upstream, forwarding: forwarding, runtime: runtime, configuration: .init(),
            clock: clock, logger: LinkBench.quiet)
        let clients = ClientGateway(
            server: name, runtime: runtime, tokens: tokens, configuration: .init(), clock: clock)
        var configuration = SyncGateway.Configuration()
        configure(&configuration)
        gateway = SyncGateway(
            pass: PassThrough(upstream: upstream, forwarding: forwarding), tokens: tokens, client: clients,
            runtime: runtime, journal: disk, restoring: disk.cursors, configuration: configuration, clock: clock)
        (port, server) = try await LinkBench.listen(RouteTable(gateway.routes), origins: .any)
        for name in ["ada", "bob"] { try await join(name, "!r:x.org") }
    }

    deinit { server.cancel() }

    static func key(_ name: String) throws -> DeviceKey {
        DeviceKey(
            user: try UserID(parsing: "@\(name):x.org"), device: try DeviceID(parsing: name.uppercased()))
    }

    func join(_ name: String, _ room: String) async throws {
        await runtime.submit(
            .presence(.roomJoined(try UserID(parsing: "@\(name):x.org"), try RoomID(parsing: room))))
    }

    /// Picks a state, which is activity of the user's device.
    func choose(_ state: ChosenState, _ text: String? = nil, by name: String) async throws {
        await runtime.submit(.presence(.statusChosen(try SyncBench.key(name), state, text: text)))
    }

    func send(_ text: String) async throws -> Wire {
        let wire = try await Wire.connect(to: port)
        try await wire.send(text.replacing("\n", with: "\r\n"))
        return wire
    }

    func get(_ query: String, as name: String = "ada", fields: String = "") async throws -> Wire.Message {
        let wire = try await send(
            "GET /_matrix/client/v3/sync\(query) HTTP/1.1\nHost: x\nAuthorization: Bearer \(name)\n\(fields)\n")
        defer { wire.close() }
        return try #require(await wire.message())
    }

    func post(_ path: String, _ body: String, as name: String = "ada") async throws -> Wire.Message {
        let wire = try await send(
            "POST \(path) HTTP/1.1\nHost: x\nAuthorization: Bearer \(name)\nContent-Length: \(body.utf8.count)\n\n\(body)"
        )
        defer { wire.close() }
        return try #require(await wire.message())
    }

    /// The targets of the syncs that the homeserver was asked for.
    var syncs: [String] {
        homeserver.requests.compactMap { request in
            let target = request.firstLine.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            return target.contains("/sync") ? target : nil
        }
    }

    func state(of name: String) async throws -> PublishedState? {
        let user = try UserID(parsing: "@\(name):x.org")
        guard case .known(let presence)? = await runtime.read({ engine, _ in engine.knowledge(of: user) }) else {
            return nil
        }
        return presence.state
    }
}

extension Wire.Message {
    /// The JSON of the body.
    var json: JSONValue { (try? JSONParser.lenient.parse(Array(body.utf8)).value) ?? .null }

    /// Who is what: `ada online`, in the order of the events of the answer.
    var presence: [String] { SyncBench.told(json["presence"]) }
}

extension SyncBench {
    static func told(_ part: JSONValue?) -> [String] {
        (part?["events"]?.array ?? []).map { event in
            let name = event["sender"]?.string?.dropFirst().prefix { $0 != ":" } ?? "?"
            return "\(name) \(event["content"]?["presence"]?.string ?? "?")"
        }
    }
}

/// Keeps the cursors that were saved.
final class CursorDisk: Journal {
    private let rows = Mutex<[(key: DeviceKey, cursors: [SyncCursors.Cursor])]>([])

    var cursors: [(key: DeviceKey, cursors: [SyncCursors.Cursor])] { rows.withLock { $0 } }

    func append(_ records: [PresenceInstance.Record]) {
        rows.withLock { rows in
            for case .syncCursors(let key, let cursors) in records {
                rows.removeAll { $0.key == key }
                if !cursors.isEmpty { rows.append((key, cursors)) }
            }
        }
    }

    func settle() async throws {}
}

private struct NoDelivery: TransactionDelivery {
    func deliver(_ transaction: OutgoingTransaction) async -> DeliveryOutcome { .failed(.unanswered(after: nil)) }
}

extension Wire {
    func send(_ bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get() }
}
