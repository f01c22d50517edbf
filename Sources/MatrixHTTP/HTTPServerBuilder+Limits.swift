import HTTPTypes
import HummingbirdCore
import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 with the bounds that every listener of ours has: headers of 64 KiB together, and an idle connection
    /// is closed after `idleTimeout`, one that leaves its request unfinished after `readLimit`.
    public static func bounded(idleTimeout: Duration, readLimit: Duration = .seconds(60)) -> HTTPServerBuilder {
        .http1(
            configuration: .init(
                additionalChannelHandlers: [RequestReadLimit(readLimit)],
                idleTimeout: TimeAmount(idleTimeout),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 64 * 1024, maxHeaderFieldCount: 100)))
    }
}
