import Foundation
import Logging
import NIOCore
import NIOHTTP1
import PresenceModel
import PresenceRuntime

/// Finds out where servers are: does what ``ServerDiscovery`` says, and remembers.
///
/// Look-ups of the same server at the same time are one. Where `SRV` records led is kept for ``routeLife``, at most
/// ``routesLimit`` of them.
actor Discoverer {
    static let routeLife = Duration.minutes(5)
    static let routesLimit = 20_000
    /// Redirections of one `.well-known` request that are followed.
    static let redirectsLimit = 5
    /// The longest time for one `.well-known` request, redirections included.
    static let wellKnownLimit = TimeAmount.seconds(10)

    private let connector: Connector
    private let clock: any PresenceClock
    private let wellKnownPort: Int
    private let connectTimeout: Duration
    private let logger: Logger
    private var memory = WellKnownMemory()
    private var routes: [ServerName: (route: ServerRoute, until: Instant)] = [:]
    private var underway: [ServerName: Task<Result<ServerRoute, FederationError>, Never>] = [:]

    init(
        connector: Connector, clock: any PresenceClock, wellKnownPort: Int, connectTimeout: Duration, logger: Logger
    ) {
        self.connector = connector
        self.clock = clock
        self.wellKnownPort = wellKnownPort
        self.connectTimeout = connectTimeout
        self.logger = logger
    }

    /// Where `server` is reached now.
    func route(to server: ServerName) async throws(FederationError) -> ServerRoute {
        if let known = routes[server], clock.now < known.until { return known.route }
        let task = underway[server] ?? Task { await discover(server) }
        underway[server] = task
        return try await task.value.get()
    }

    /// The route led nowhere: the next look-up begins anew, but for what `.well-known` said.
    func forget(_ server: ServerName) { routes[server] = nil }

    private func discover(_ server: ServerName) async -> Result<ServerRoute, FederationError> {
        defer { underway[server] = nil }
        var discovery = ServerDiscovery(of: server)
        var chance = SystemRandomNumberGenerator()
        while true {
            switch discovery.step {
            case .fetchWellKnown: discovery.take(delegation: await delegation(of: server))
            case .lookUpServices(let name):
                do throws(NameFailure) {
                    discovery.take(services: try await services(of: name), using: &chance)
                } catch {
                    return .failure(
                        FederationError(.unreachable, server, "no DNS server answers for \(name)", cause: error))
                }
            case .settled(let route):
                keep(route, of: server)
                return .success(route)
            case .closed:
                return .failure(
                    FederationError(.unreachable, server, "its SRV record says that it takes part in no federation"))
            }
        }
    }

    /// That a DNS server knows of no such record, or refuses to say, is an answer; silence is none.
    private func services(of name: String) async throws(NameFailure) -> [ServiceRecord] {
        do throws(NameFailure) {
            return try await connector.names.services(of: name)
        } catch .timedOut {
            throw .timedOut
        } catch {
            logger.debug("no SRV record", metadata: ["name": "\(name)", "reason": "\(error)"])
            return []
        }
    }

    private func keep(_ route: ServerRoute, of server: ServerName) {
        let now = clock.now
        if routes[server] == nil, routes.count >= Self.routesLimit { routes = routes.filter { now < $0.value.until } }
        if routes.count >= Self.routesLimit { routes.removeAll() }
        let until = now + Self.routeLife
        routes[server] = (route, memory.freshUntil(server).map { min($0, until) } ?? until)
        logger.debug(
            "found a server", metadata: ["server": "\(server)", "step": "\(route.step)", "host": "\(route.host)"])
    }

    private func delegation(of server: ServerName) async -> ServerName? {
        if let known = memory.delegation(of: server, at: clock.now) { return known }
        let answer = await fetchWellKnown(of: server)
        if case .failed(let reason) = answer {
            logger.debug("no .well-known document", metadata: ["server": "\(server)", "reason": "\(reason)"])
        }
        return memory.note(answer, of: server, at: clock.now)
    }

    private func fetchWellKnown(of server: ServerName) async -> WellKnownAnswer {
        let deadline = NIODeadline.now() + Self.wellKnownLimit
        guard
            var place = WellKnownPlace(
                "https://\(server.host):\(wellKnownPort)/.well-known/matrix/server", after: nil)
        else { return .absent }
        var seen: [WellKnownPlace] = []
        while true {
            guard seen.count <= Self.redirectsLimit else { return .failed(reason: "too many redirections") }
            guard !seen.contains(place) else { return .failed(reason: "redirections in a circle") }
            seen.append(place)
            do {
                let connection = try await connector.connect(place.route, timeout: connectTimeout, before: deadline)
                defer { connection.close() }
                let reply = try await connection.exchange(
                    HTTPExchange(
                        method: "GET", target: place.target,
                        headers: [
                            "Host": place.route.host, "User-Agent": "presenced", "Accept": "application/json",
                            "Connection": "close",
                        ],
                        replyLimitBytes: WellKnownAnswer.limitBytes, deadline: deadline))
                guard [301, 302, 303, 307, 308].contains(reply.status) else {
                    return WellKnownAnswer(
                        status: reply.status, headers: reply.headers, body: reply.body, at: clock.now)
                }
                guard let location = reply.headers.first(name: "Location"),
                    let next = WellKnownPlace(location, after: place)
                else { return .failed(reason: "a redirection to what is no https address") }
                place = next
            } catch ExchangeFailure.tooLarge {
                return .absent
            } catch {
                return .failed(reason: "\(error)")
            }
        }
    }
}

/// An `https` address that a `.well-known` document is fetched from.
private struct WellKnownPlace: Hashable {
    var url: URL
    var route: ServerRoute
    var target: String

    /// - Returns: `nil` for what is no whole `https` address.
    init?(_ text: String, after other: WellKnownPlace?) {
        guard let url = URL(string: text, relativeTo: other?.url)?.absoluteURL,
            let parts = URLComponents(url: url, resolvingAgainstBaseURL: true), parts.scheme?.lowercased() == "https",
            parts.user == nil, let host = parts.encodedHost, !host.isEmpty,
            let name = try? ServerName(parsing: host), (1...65535).contains(parts.port ?? 443)
        else { return nil }
        self.url = url
        let port = parts.port ?? 443
        route = ServerRoute(
            targets: [ServerRoute.Target(host: name.bareHost, port: port)],
            host: port == 443 ? name.text : "\(name.text):\(port)", certificateName: name.bareHost, step: "3")
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        target = parts.percentEncodedQuery.map { "\(path)?\($0)" } ?? path
    }
}
