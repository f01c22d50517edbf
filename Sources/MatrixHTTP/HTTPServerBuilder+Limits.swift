import HTTPTypes
import HummingbirdCore
import NIOCore

extension HTTPServerBuilder {
    /// HTTP/1.1 with the bounds that every listener of ours has: headers of 64 KiB together, and an idle connection
    /// is closed after `idleTimeout`, one that leaves its request unfinished after `readLimit`: for the whole body, or
    /// where bodies of any length are passed on, for each part of it.
    public static func bounded(
        idleTimeout: Duration, readLimit: Duration = .seconds(60), passesOn: Bool = false
    ) -> HTTPServerBuilder {
        .http1(
            configuration: .init(
                additionalChannelHandlers: [
                    RequestReadLimit(readLimit, forEachPart: passesOn), HangupWatch(), UnkeptReadsInstaller(),
                ],
                idleTimeout: TimeAmount(idleTimeout),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 64 * 1024, maxHeaderFieldCount: 100)))
    }
}
