import HTTPTypes
import HummingbirdCore
import Logging
import MatrixWire
import NIOCore

/// One address that answers HTTP/1.1 with a table of routes.
///
/// Runs until the service group shuts down: then it takes no new connection and lets open requests finish.
public struct MatrixListener: Sendable {
    /// Who may read the answers from a browser.
    public enum Origins: Sendable {
        /// No `Access-Control` headers.
        case sameOnly
        /// Any page, as the specification asks of client APIs. Spec: client-server API, web browser clients.
        case any
    }

    private let address: BindAddress
    private let server: HTTPServerBuilder
    private let group: any EventLoopGroup
    private let routes: RouteTable
    private let origins: Origins
    private let mark: String?
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - port: 0 for any that is free; `onListening` says which it became.
    ///   - server: HTTP/1.1, with or without TLS.
    ///   - mark: who this is, in printable ASCII, for those who ask: requests with the header field `X-Presenced-Probe`
    ///     get it in `X-Presenced`, whatever the answer. Decision 23.
    public init(
        host: String, port: Int, server: HTTPServerBuilder, group: any EventLoopGroup, routes: RouteTable,
        origins: Origins, mark: String? = nil, logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.address = .hostname(host, port: port)
        self.server = server
        self.group = group
        self.routes = routes
        self.origins = origins
        self.mark = mark
        self.logger = logger
        self.onListening = onListening
    }

    /// - Throws: when the address cannot be bound.
    public func run() async throws {
        // Hummingbird's own lines are for its developers.
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let routes = routes
        let origins = origins
        let mark = mark
        let onListening = onListening
        let service = try server.buildServer(
            configuration: ServerConfiguration(address: address), eventLoopGroup: group, logger: quiet,
            responder: { (request, writer: consuming ResponseWriter, channel) in
                if request.headers[.expect]?.lowercased() == "100-continue" {
                    try await writer.writeInformationalHead(HTTPResponse(status: .continue))
                }
                var response = await MatrixListener.respond(
                    to: MatrixRequest(request, on: channel), routes: routes, origins: origins)
                if let mark, request.headers[.presencedProbe] != nil { response.headers[.presencedMark] = mark }
                try await writer.write(response: response.head, body: response.body)
            },
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? 0) })
        try await service.run()
    }

    private static func respond(
        to request: MatrixRequest, routes: RouteTable, origins: Origins
    ) async -> Response {
        let answer: Answer
        if origins == .any, request.method == "OPTIONS", !routes.passesOn(request) {
            answer = .empty(status: 204)
        } else {
            answer = await routes.answer(request)
        }
        var response = answer.response(toHead: request.method == "HEAD")
        if origins == .any, !answer.isPassedOn {
            response.headers[.accessControlAllowOrigin] = "*"
            response.headers[.accessControlAllowMethods] = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
            response.headers[.accessControlAllowHeaders] =
                "X-Requested-With, Content-Type, Authorization, Date, Last-Event-ID"
        }
        return response
    }
}

extension HTTPField.Name {
    /// `X-Presenced-Probe`: asks whom a request came to. Decision 23.
    public static let presencedProbe = known("X-Presenced-Probe")
    /// `X-Presenced`: says so.
    public static let presencedMark = known("X-Presenced")

    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("no name of a header field: \(text)") }
        return name
    }
}
