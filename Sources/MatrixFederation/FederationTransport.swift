import AsyncHTTPClient
import Foundation
import MatrixWire
import NIOCore
import NIOHTTP1
import NIOSSL
import PresenceModel

/// HTTPS to other servers: where a server is, whether it is the right one, and time-outs for everything.
///
/// Server names with explicit ports and IP literals are reached as they stand, other names at port 8448, unless the
/// configuration says where. The certificate must be for the name in any case.
/// Spec: server-server API, resolving server names, steps 1, 2 and 6.
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
        /// Where servers are, instead of where their names say.
        public var resolve: [ServerName: Address] = [:]
        /// How long one request is waited for.
        public var requestTimeout: Duration = .seconds(30)
        /// The longest time that a connection may take to come about.
        public var connectTimeout: Duration = .seconds(10)

        /// The system's authorities, no overrides, and the times above.
        public init() {}
    }

    /// What came back, whatever its status.
    struct Reply: Sendable {
        var status: Int
        var body: [UInt8]
        var retryAfterSeconds: Int?
    }

    private let client: HTTPClient
    private let configuration: Configuration

    /// - Throws: when the file of authorities cannot be used.
    public init(configuration: Configuration, group: any EventLoopGroup) throws {
        self.configuration = configuration
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = configuration.extraAuthorities {
            tls.additionalTrustRoots = [.certificates(try NIOSSLCertificate.fromPEMFile(path))]
        }
        var settings = HTTPClient.Configuration(tlsConfiguration: tls)
        settings.redirectConfiguration = .disallow
        settings.timeout.connect = TimeAmount(configuration.connectTimeout)
        settings.connectionPool.idleTimeout = .seconds(60)
        settings.httpVersion = .http1Only
        for (name, address) in configuration.resolve { settings.dnsOverride[name.host] = address.host }
        client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: settings)
    }

    /// Closes the connections; no request may follow.
    public func shutdown() async throws { try await client.shutdown() }

    /// One request; every status is a reply.
    /// - Parameter target: path and query, percent-encoded.
    /// - Throws: ``FederationError`` if there was no whole reply in time.
    func request(
        _ method: String, _ target: String, at server: ServerName, authorization: String?, body: [UInt8]?,
        replyLimitBytes: Int
    ) async throws(FederationError) -> Reply {
        let port = configuration.resolve[server]?.port ?? server.port ?? 8448
        var request = HTTPClientRequest(url: "https://\(server.host):\(port)\(target)")
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "Host", value: server.text)
        request.headers.add(name: "User-Agent", value: "presenced")
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(body)
        }
        do {
            let response = try await client.execute(request, timeout: TimeAmount(configuration.requestTimeout))
            let collected = try await response.body.collect(upTo: replyLimitBytes)
            return Reply(
                status: Int(response.status.code), body: Array(collected.readableBytesView),
                retryAfterSeconds: response.headers.first(name: "Retry-After").flatMap { Int($0) })
        } catch let error as HTTPClientError where FederationTransport.timeouts.contains(error) {
            throw FederationError(.timedOut, server, "no whole answer in time", cause: error)
        } catch is NIOTooManyBytesError {
            throw FederationError(.malformed, server, "the answer is over \(replyLimitBytes) bytes")
        } catch {
            throw FederationError(.unreachable, server, "no connection to \(server): \(error)", cause: error)
        }
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .readTimeout, .writeTimeout, .deadlineExceeded, .getConnectionFromPoolTimeout,
    ]
}
