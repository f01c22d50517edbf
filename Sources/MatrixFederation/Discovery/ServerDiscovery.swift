import PresenceModel

/// The way from a server's name to where it is reached: what to find out next, given what was found out so far.
///
/// It decides and asks nothing itself: the caller does what ``step`` says and hands in the answer.
/// Spec: server-server API, resolving server names; facts 3.5.
struct ServerDiscovery: Hashable, Sendable {
    /// What to do now.
    enum Step: Hashable, Sendable {
        /// `GET https://<host>/.well-known/matrix/server`; goes on with ``take(delegation:)``.
        case fetchWellKnown(host: String)
        /// Look up `SRV` records; goes on with ``take(services:using:)``.
        case lookUpServices(name: String)
        /// The end.
        case settled(ServerRoute)
        /// The end: DNS says that the server takes no requests from others.
        case closed
    }

    /// Which `SRV` records are looked up.
    private enum Services: String {
        case current = "_matrix-fed._tcp."
        case deprecated = "_matrix._tcp."
    }

    /// The most records of one name that are tried.
    static let targetsLimit = 8

    private(set) var step: Step
    private let server: ServerName
    private var delegate: ServerName?
    private var services = Services.current

    /// Begins, and ends at once for an address literal or a name with a port (steps 1 and 2).
    init(of server: ServerName) {
        self.server = server
        if server.isAddressLiteral || server.port != nil {
            step = .settled(Self.direct(server, step: server.isAddressLiteral ? "1" : "2"))
        } else {
            step = .fetchWellKnown(host: server.host)
        }
    }

    /// - Parameter delegation: what the `.well-known` document names; `nil` if there is no good one (step 3).
    mutating func take(delegation: ServerName?) {
        guard case .fetchWellKnown = step else { preconditionFailure("no .well-known was asked for: \(self)") }
        delegate = delegation
        if let delegation, delegation.isAddressLiteral || delegation.port != nil {
            step = .settled(Self.direct(delegation, step: delegation.isAddressLiteral ? "3.1" : "3.2"))
        } else {
            step = .lookUpServices(name: services.rawValue + subject.host)
        }
    }

    /// - Parameter services: the records found, empty if there are none (steps 3.3 to 3.5, or 4 to 6).
    mutating func take(services found: [ServiceRecord], using chance: inout some RandomNumberGenerator) {
        guard case .lookUpServices = step else { preconditionFailure("no services were asked for: \(self)") }
        let usable = found.filter { !$0.host.isEmpty && (1...65535).contains($0.port) }
        if !usable.isEmpty {
            let targets = ServiceRecord.ordered(usable, using: &chance).prefix(Self.targetsLimit)
                .map { ServerRoute.Target(host: $0.host, port: $0.port) }
            let steps = services == .current ? ("3.3", "4") : ("3.4", "5")
            step = .settled(route(to: targets, delegate == nil ? steps.1 : steps.0))
        } else if found.contains(where: \.host.isEmpty) {
            step = .closed
        } else if services == .current {
            services = .deprecated
            step = .lookUpServices(name: services.rawValue + subject.host)
        } else {
            let target = ServerRoute.Target(host: subject.host, port: ServerName.defaultPort)
            step = .settled(route(to: [target], delegate == nil ? "6" : "3.5"))
        }
    }

    /// Whose certificate and `Host` it is: the delegate's where there is one, else the server's own.
    private var subject: ServerName { delegate ?? server }

    private func route(to targets: [ServerRoute.Target], _ step: String) -> ServerRoute {
        ServerRoute(targets: targets, host: subject.text, certificateName: subject.bareHost, step: step)
    }

    private static func direct(_ name: ServerName, step: String) -> ServerRoute {
        let target = ServerRoute.Target(host: name.bareHost, port: name.port ?? ServerName.defaultPort)
        return ServerRoute(targets: [target], host: name.text, certificateName: name.bareHost, step: step)
    }
}
