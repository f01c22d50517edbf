import MatrixWire

/// One method of one path.
public struct Route: Sendable {
    /// Answers one request; what it throws is sent as a refusal in the standard form.
    public typealias Handle = @Sendable (MatrixRequest) async throws(MatrixErrorBody) -> Answer

    let method: String
    let pattern: String
    let handle: Handle

    /// - Parameters:
    ///   - method: in upper case.
    ///   - pattern: a path whose segments are literal, or `*` for one segment that is left open. Slashes are not
    ///     merged: an empty segment is a segment.
    public init(_ method: String, _ pattern: String, _ handle: @escaping Handle) {
        self.method = method
        self.pattern = pattern
        self.handle = handle
    }

    /// The same, answered by what `wrap` makes of it.
    public func answered(by wrap: (@escaping Handle) -> Handle) -> Route { Route(method, pattern, wrap(handle)) }
}

/// All routes of a listener: which of them a request is for, or the standard refusal.
public struct RouteTable: Sendable {
    private final class Node: Sendable {
        let literals: [Substring: Node]
        let open: Node?
        let methods: [String: Route.Handle]

        init(_ routes: [(segments: ArraySlice<Substring>, route: Route)]) {
            var byLiteral: [Substring: [(segments: ArraySlice<Substring>, route: Route)]] = [:]
            var byOpen: [(segments: ArraySlice<Substring>, route: Route)] = []
            var methods: [String: Route.Handle] = [:]
            for (segments, route) in routes {
                guard let first = segments.first else {
                    precondition(methods[route.method] == nil, "two routes for \(route.method) \(route.pattern)")
                    methods[route.method] = route.handle
                    continue
                }
                if first == "*" {
                    byOpen.append((segments.dropFirst(), route))
                } else {
                    byLiteral[first, default: []].append((segments.dropFirst(), route))
                }
            }
            literals = byLiteral.mapValues { Node($0) }
            open = byOpen.isEmpty ? nil : Node(byOpen)
            self.methods = methods
        }
    }

    private let root: Node
    private let otherwise: Route.Handle?
    /// Every route, in the order given.
    public let routes: [Route]

    /// The table of `routes`; a literal segment goes before an open one.
    /// - Parameter otherwise: answers what is for none of them; without it, such requests are refused.
    public init(_ routes: [Route], otherwise: Route.Handle? = nil) {
        self.routes = routes
        self.otherwise = otherwise
        root = Node(routes.map { (RouteTable.segments(of: $0.pattern[...])[...], $0) })
    }

    /// Answers the request, with a refusal in the standard form for whatever goes wrong.
    public func answer(_ request: MatrixRequest) async -> Answer {
        var request = request
        let methods = find(&request)
        let method = request.method == "HEAD" && methods?["HEAD"] == nil ? "GET" : request.method
        guard let handle = methods?[method] ?? otherwise else {
            return .refusal(methods == nil ? .unknownPath : .unknownMethod)
        }
        do throws(MatrixErrorBody) {
            return try await handle(request)
        } catch {
            return .refusal(error)
        }
    }

    /// Whether the path is none of the table's own and ``answer(_:)`` gives the request to somebody else.
    func passesOn(_ request: MatrixRequest) -> Bool {
        var request = request
        return otherwise != nil && find(&request) == nil
    }

    /// Every method and pattern, sorted.
    public var listing: [String] { routes.map { "\($0.method) \($0.pattern)" }.sorted() }

    private func find(_ request: inout MatrixRequest) -> [String: Route.Handle]? {
        var node = root
        var captures: [Substring] = []
        for segment in RouteTable.segments(of: request.path) {
            if let next = node.literals[segment] {
                node = next
            } else if let next = node.open {
                captures.append(segment)
                node = next
            } else {
                return nil
            }
        }
        request.captures = captures
        return node.methods.isEmpty ? nil : node.methods
    }

    private static func segments(of path: Substring) -> [Substring] {
        path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }
}
