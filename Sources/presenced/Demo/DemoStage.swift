import AsyncHTTPClient
import ClientGateway
import Foundation
import Logging
import LoopbackTLS
import MatrixFederation
import NIOCore
import NIOPosix
import NIOSSL
import PresenceModel

/// Two servers that know where to find each other, and the users on them.
struct DemoStage: Sendable {
    struct User: Sendable {
        var id: UserID
        var token: String
        /// `http://127.0.0.1:<port>` of the user's server.
        var url: String
    }

    let north: PresenceServer
    let south: PresenceServer
    let users: [User]
    let client: HTTPClient
    let southFederation: String

    /// The second server bears the name that the recorded traffic is signed for.
    static let names = (north: "north.example", south: "localhost:28448")

    static func build(folder: String, recording: DemoRecording) async throws -> DemoStage {
        let authority = try PrivateAuthority(folder: folder)
        let ports = try FreePorts.pick(4)
        let pinned = "\(folder)/pinned.json"
        try Data(recording.pinnedKeys.utf8).write(to: URL(fileURLWithPath: pinned))
        let north = try await server(names.north, label: "north", folder, authority, ports, (0, 1), pinned: nil)
        let south = try await server(names.south, label: "south", folder, authority, ports, (2, 3), pinned: pinned)
        var users: [User] = []
        for (name, home) in [("ada", north), ("ben", north), ("cleo", south), ("dora", south)] {
            let id = try UserID(parsing: "@\(name):\(home.configuration.serverName)")
            let token = try TokenFile(path: home.configuration.tokenFilePath).create(
                user: id, device: nil, at: Instant(millisecondsSinceEpoch: PresenceServer.wallMilliseconds()))
            let url = "http://127.0.0.1:\(home.configuration.client.listen.port)"
            users.append(User(id: id, token: token.token.text, url: url))
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(authority.path))]
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: HTTPClient.Configuration(tlsConfiguration: tls))
        return DemoStage(
            north: north, south: south, users: users, client: client,
            southFederation: "https://localhost:\(ports[3])")
    }

    /// Runs both servers while `play` lasts.
    func run(_ play: @escaping @Sendable (DemoStage) async throws -> Void) async throws {
        let (curtain, falls) = AsyncStream.makeStream(of: Void.self)
        let (secondCurtain, secondFalls) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await north.run(until: { for await _ in curtain { return } }) }
            group.addTask { try await south.run(until: { for await _ in secondCurtain { return } }) }
            group.addTask {
                defer {
                    falls.finish()
                    secondFalls.finish()
                }
                _ = await north.listeners.ports.all()
                _ = await south.listeners.ports.all()
                try await play(self)
            }
            try await group.waitForAll()
        }
        try await client.shutdown()
    }

    private static func server(
        _ name: String, label: String, _ folder: String, _ authority: PrivateAuthority, _ ports: [Int],
        _ own: (client: Int, federation: Int), pinned: String?
    ) async throws -> PresenceServer {
        var settings = ServerConfiguration()
        settings.serverName = try ServerName(parsing: name)
        settings.dataDirectory = "\(folder)/\(label)"
        settings.client.listen = NetworkAddress(host: "127.0.0.1", port: ports[own.client])
        settings.federation.enabled = true
        settings.federation.listen = NetworkAddress(host: "127.0.0.1", port: ports[own.federation])
        let files = try authority.issue(label: label, names: [settings.serverName.host, "localhost"])
        settings.federation.tls.certificate = files.certificate
        settings.federation.tls.key = files.key
        settings.federation.caFile = authority.path
        settings.federation.pinnedKeys = pinned
        settings.federation.batch.window = .seconds(1)
        settings.federation.batch.stretch = .seconds(3)
        settings.federation.resolve = [
            try ServerName(parsing: names.north): NetworkAddress(host: "127.0.0.1", port: ports[1]),
            try ServerName(parsing: names.south): NetworkAddress(host: "127.0.0.1", port: ports[3]),
        ]
        return try await PresenceServer.prepare(settings, logger: Logger(label: label))
    }
}

/// Ports of the loopback address that nothing listens on at this moment.
enum FreePorts {
    static func pick(_ count: Int) throws -> [Int] {
        var channels: [any Channel] = []
        defer { for channel in channels { try? channel.close().wait() } }
        for _ in 0..<count {
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            channels.append(try bootstrap.bind(host: "127.0.0.1", port: 0).wait())
        }
        return channels.compactMap { $0.localAddress?.port }
    }
}
