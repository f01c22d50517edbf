import Foundation
import Logging
import LoopbackTLS
import NIOPosix
import PresenceModel
import PresenceRuntime
import Synchronization

@testable import MatrixFederation

/// A clock that stands still until it is set on.
final class StandingClock: PresenceClock {
    private let instant = Mutex(Instant(millisecondsSinceEpoch: 1_700_000_000_000))

    var now: Instant { instant.withLock { $0 } }

    func advance(by duration: Duration) { instant.withLock { $0 = $0 + duration } }
}

/// What was logged, as `level message`.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Writing(lines: self) }
        logger.logLevel = .info
        return logger
    }

    private struct Writing: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = event.metadata?.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } ?? []
            let line = (["\(event.level)", "\(event.message)"] + facts).joined(separator: " ")
            lines.lines.withLock { $0.append(line) }
        }
    }
}

/// An authority, a DNS server and a clock, all of one test.
final class WireBench: Sendable {
    let folder: String
    let authority: PrivateAuthority
    let dns: LoopbackDNS
    let clock = StandingClock()
    let lines = Lines()

    init(_ zone: LoopbackDNS.Zone = .init()) async throws {
        folder = NSTemporaryDirectory() + "presenced-wire-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        authority = try PrivateAuthority(folder: folder)
        dns = try await LoopbackDNS(zone)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A server with a certificate for `names`, and for no address unless that is said.
    func server(
        _ names: [String], hasAddresses: Bool = false, isExpired: Bool = false, address: String = "127.0.0.1",
        respond: @escaping @Sendable (LoopbackHTTPS.Request) -> LoopbackHTTPS.Response
    ) async throws -> LoopbackHTTPS {
        let files = try authority.issue(
            label: UUID().uuidString, names: names, hasAddresses: hasAddresses, isExpired: isExpired)
        return try await LoopbackHTTPS(files, address: address, respond: respond)
    }

    /// Runs with a transport that asks the DNS server here, may connect to the loopback addresses, and is closed at
    /// the end.
    func withTransport(
        _ change: (inout FederationTransport.Configuration) -> Void = { _ in },
        _ body: (FederationTransport) async throws -> Void
    ) async throws {
        var configuration = FederationTransport.Configuration()
        configuration.extraAuthorities = authority.path
        configuration.dnsServers = [dns.address]
        configuration.allowedNetworks = [AddressRange(parsing: "127.0.0.0/8")].compactMap { $0 }
        change(&configuration)
        let transport = try FederationTransport(
            configuration: configuration, group: MultiThreadedEventLoopGroup.singleton, clock: clock,
            logger: lines.logger)
        do {
            try await body(transport)
        } catch {
            try await transport.shutdown()
            throw error
        }
        try await transport.shutdown()
    }
}

extension FederationTransport {
    /// One request without signature.
    func get(_ server: String, limit: Int = 10_000) async throws -> Reply {
        try await request(
            "GET", "/_matrix/x", at: try ServerName(parsing: server), authorization: nil, body: nil,
            replyLimitBytes: limit)
    }

    /// Why a request fails; `nil` if it does not.
    func failure(_ server: String, limit: Int = 10_000) async throws -> FederationError? {
        do {
            _ = try await get(server, limit: limit)
            return nil
        } catch let error as FederationError {
            return error
        }
    }
}
