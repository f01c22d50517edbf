import HTTPTypes
import HummingbirdCore
import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 with the bounds that every listener of ours has: headers of 64 KiB together, and an idle connection
    /// is closed after `idleTimeout`, one that leaves its request unfinished after `readLimit`: for the whole body, or
    /// where bodies of any length are passed on, for each part of it.
    /// - Parameters:
    ///   - webSockets: paths whose requests may become WebSockets, for which these bounds do not count any more. With
    ///     them, a connection is closed that does not finish the head of its first request within `firstRequestLimit`,
    ///     the handshake of TLS included.
    public static func bounded(
        idleTimeout: Duration, readLimit: Duration = .seconds(60), passesOn: Bool = false,
        webSockets: [WebSocketPath] = [], firstRequestLimit: Duration = .seconds(30)
    ) -> HTTPServerBuilder {
        let configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [
                RequestReadLimit(readLimit, forEachPart: passesOn), HangupWatch(), UnkeptReadsInstaller(),
            ],
            idleTimeout: TimeAmount(idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 64 * 1024, maxHeaderFieldCount: 100))
        guard !webSockets.isEmpty else { return .http1(configuration: configuration) }
        return HTTPServerBuilder { responder in
            UpgradingChannel(
                http: HTTP1Channel(responder: responder, configuration: configuration), webSockets: webSockets,
                firstRequestLimit: min(firstRequestLimit, idleTimeout))
        }
    }
}
