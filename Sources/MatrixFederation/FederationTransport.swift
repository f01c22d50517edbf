import Foundation
import Logging
import MatrixWire
import NIOCore
import NIOHTTP1
import NIOSSL
import PresenceModel
import PresenceRuntime

/// HTTPS to other servers: where a server is, whether it is the right one, and time-outs for everything.
///
/// A server is where ``Configuration/resolve`` says, or where discovery finds it. The certificate must be for the
/// right name in any case. Connections are made to addresses that the guard let pass, and are kept for a while.
/// Spec: server-server API, resolving server names.
public final class FederationTransport: Sendable {
    /// Whom to trust, where servers are, and how long to wait.
    public struct Configuration: Sendable {
        /// Where a server listens.
        public struct Address: Hashable, Sendable {
            /// A DNS name or an IP address, without port.
            public var host: String
            /// The TCP port.
            public var port: Int

            /// The address as given, nothing checked.
            public init(host: String, port: Int) {
                self.host = host
                self.port = port
            }
        }

        /// PEM file of authorities that are trusted besides the system's.
        public var extraAuthorities: String?
        /// Where servers are, instead of where discovery finds them; may be anywhere.
        public var resolve: [ServerName: Address] = [:]
        /// Addresses that are not public, and may be connected to all the same.
        public var allowedNetworks: [AddressRange] = []
        /// DNS servers, `192.0.2.53` or `192.0.2.53:5353`, an IPv6 address in brackets; empty for the system's.
        public var dnsServers: [String] = []
        /// How long one request is waited for, from the moment that it is known where the server is.
        public var requestTimeout: Duration = .seconds(30)
        /// The longest time that a connection to one address may take to come about.
        public var connectTimeout: Duration = .seconds(10)
        /// The same, for a server that did not answer when it was asked last.
        public var doubtfulConnectTimeout: Duration = .seconds(4)
        /// How long a connection is kept that nobody uses.
        public var idleLimit: Duration = .seconds(60)
        /// Transactions at once to servers that did not answer last time; further ones wait.
        public var doubtfulLimit = 128
        /// Where `.well-known` documents are fetched.
        var wellKnownPort = 443

        /// The system's authorities and DNS servers, no overrides, public addresses only, and the times above.
        public init() {}
    }

    /// The DNS servers are none that can be asked.
    public struct UnusableDNSServers: Error, Sendable {
        /// In the resolver's words.
        public var reason: String
    }

    /// What came back, whatever its status.
    struct Reply: Sendable {
        var status: Int
        var body: [UInt8]
        /// How long it asks to be left alone.
        var retryAfter: Duration?
    }

    /// Whose turn it is to be tried.
    let turns: AttemptTurns
    private let configuration: Configuration
    private let connector: Connector
    private let discoverer: Discoverer
    private let shelf = ConnectionShelf()
    private let names: CaresResolver
    private let clock: any PresenceClock

    /// - Throws: ``UnusableDNSServers``, or another error when the file of authorities cannot be used.
    public init(
        configuration: Configuration, group: any EventLoopGroup, clock: any PresenceClock, logger: Logger
    ) throws {
        self.configuration = configuration
        self.clock = clock
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = configuration.extraAuthorities {
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(path))]
        }
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        let context = try NIOSSLContext(configuration: tls)
        do {
            names = try CaresResolver(servers: configuration.dnsServers)
        } catch {
            throw UnusableDNSServers(reason: "\(error)")
        }
        connector = Connector(
            names: names, addressGuard: AddressGuard(allowed: configuration.allowedNetworks), tls: context,
            group: group,
            idleLimit: configuration.idleLimit)
        discoverer = Discoverer(
            connector: connector, clock: clock, wellKnownPort: configuration.wellKnownPort,
            connectTimeout: configuration.doubtfulConnectTimeout, logger: logger)
        turns = AttemptTurns(limit: configuration.doubtfulLimit)
    }

    /// Closes the connections; a request that follows fails.
    public func shutdown() async throws {
        turns.close()
        shelf.close()
        names.shutdown()
    }

    /// A server showed in some other way that it is there: by a request of its own.
    func heard(from server: ServerName) {
        if !turns.isAnswering(server) { turns.note(server, answered: true) }
    }

    /// One request; every status is a reply.
    ///
    /// A request may arrive twice: where a kept connection turns out to be closed, it is sent again on a new one.
    /// - Parameter target: path and query, percent-encoded.
    /// - Throws: ``FederationError`` if there was no whole reply in time.
    func request(
        _ method: String, _ target: String, at server: ServerName, authorization: String?, body: [UInt8]?,
        replyLimitBytes: Int
    ) async throws(FederationError) -> Reply {
        do throws(FederationError) {
            let route = try await route(to: server)
            var headers: HTTPHeaders = ["Host": route.host, "User-Agent": "presenced"]
            if let authorization { headers.add(name: "Authorization", value: authorization) }
            if body != nil { headers.add(name: "Content-Type", value: "application/json") }
            let exchange = HTTPExchange(
                method: method, target: target, headers: headers, body: body, replyLimitBytes: replyLimitBytes,
                deadline: .now() + TimeAmount(configuration.requestTimeout))
            let reply = try await carry(exchange, to: server, by: route)
            turns.note(server, answered: true)
            return Reply(
                status: reply.status, body: reply.body,
                retryAfter: reply.headers.first(name: "Retry-After").flatMap { RetryAfter.parse($0, at: clock.now) })
        } catch {
            // What is too large is an answer.
            turns.note(server, answered: error.code == .malformed)
            throw error
        }
    }

    /// Asks a server for what anyone may have, without a signature; every status is an answer.
    /// - Parameters:
    ///   - target: path and query, percent-encoded.
    ///   - limitBytes: of the answer; a longer one is an error.
    /// - Throws: ``FederationError`` if there was no whole answer in time.
    public func document(
        _ target: String, at server: ServerName, limitBytes: Int
    ) async throws(FederationError) -> (status: Int, body: [UInt8]) {
        let reply = try await request(
            "GET", target, at: server, authorization: nil, body: nil, replyLimitBytes: limitBytes)
        return (reply.status, reply.body)
    }

    private func route(to server: ServerName) async throws(FederationError) -> ServerRoute {
        guard let address = configuration.resolve[server] else { return try await discoverer.route(to: server) }
        let target = ServerRoute.Target(host: address.host, port: address.port, isOperators: true)
        return ServerRoute(targets: [target], host: server.text, certificateName: server.bareHost, step: "resolve")
    }

    /// On a kept connection if there is one, else on a new one.
    private func carry(
        _ exchange: HTTPExchange, to server: ServerName, by route: ServerRoute
    ) async throws(FederationError) -> HTTPReply {
        if let kept = shelf.take(server) {
            if kept.host == route.host, kept.certificateName == route.certificateName {
                do throws(ExchangeFailure) {
                    return try await carry(exchange, on: kept, of: server)
                } catch .closed(isUntouched: true) {
                    // The other side had closed it before the request arrived.
                } catch {
                    throw Self.error(error, server, exchange)
                }
            } else {
                kept.close()
            }
        }
        let connection: Connection
        do throws(ConnectFailure) {
            let timeout =
                turns.isAnswering(server) ? configuration.connectTimeout : configuration.doubtfulConnectTimeout
            connection = try await connector.connect(route, timeout: timeout, before: exchange.deadline)
        } catch {
            await discoverer.forget(server)
            throw Self.error(error, server)
        }
        shelf.follow(connection, of: server)
        do throws(ExchangeFailure) {
            return try await carry(exchange, on: connection, of: server)
        } catch {
            throw Self.error(error, server, exchange)
        }
    }

    private func carry(
        _ exchange: HTTPExchange, on connection: Connection, of server: ServerName
    ) async throws(ExchangeFailure) -> HTTPReply {
        let reply = try await connection.exchange(exchange)
        shelf.putBack(connection, of: server)
        return reply
    }

    private static func error(
        _ failure: ExchangeFailure, _ server: ServerName, _ exchange: HTTPExchange
    ) -> FederationError {
        switch failure {
        case .timedOut: FederationError(.timedOut, server, "no whole answer in time", cause: failure)
        case .tooLarge:
            FederationError(.malformed, server, "the answer is over \(exchange.replyLimitBytes) bytes", cause: failure)
        case .closed:
            FederationError(.unreachable, server, "it closed the connection without an answer", cause: failure)
        case .broken(let what): FederationError(.unreachable, server, "the connection broke: \(what)", cause: failure)
        }
    }

    private static func error(_ failure: ConnectFailure, _ server: ServerName) -> FederationError {
        switch failure {
        case .guarded(let why):
            FederationError(
                .addressRefused, server,
                "\(why), and no connection is made there; if it should be, set federation.allowed_networks",
                cause: failure)
        case .name(.noSuchName, let host):
            FederationError(.unreachable, server, "DNS knows no address of \(host)", cause: failure)
        case .name(.timedOut, let host):
            FederationError(.unreachable, server, "no DNS server answers for \(host)", cause: failure)
        case .name(.failed(let reason), let host):
            FederationError(.unreachable, server, "DNS does not say where \(host) is: \(reason)", cause: failure)
        case .timedOut(let place): FederationError(.timedOut, server, "\(place) does not answer", cause: failure)
        case .certificate(let what, let place):
            FederationError(.unreachable, server, "\(place) is not trusted: \(what)", cause: failure)
        case .unreachable(let what, let place):
            FederationError(.unreachable, server, "no connection to \(place): \(what)", cause: failure)
        }
    }
}

/// The `Retry-After` header.
enum RetryAfter {
    /// Longer waits are cut to this.
    static let longest = Duration.hours(24)

    /// Seconds, or a date; `nil` for anything else. RFC 9110, section 10.2.3.
    static func parse(_ text: String, at now: Instant) -> Duration? {
        let text = text.trimmingCharacters(in: .whitespaces)
        if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
            return Int(text).map { .seconds(min($0, 86_400)) } ?? longest
        }
        guard let date = HTTPDate.parse(text) else { return nil }
        return min(.milliseconds(max(0, date.milliseconds(since: now))), longest)
    }
}
