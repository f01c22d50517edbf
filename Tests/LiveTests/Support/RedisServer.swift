import Foundation
import NIOCore
import NIOPosix

/// A real Redis on a free port of loopback, which keeps nothing on disk.
final class RedisServer: Sendable {
    let port: Int
    private let child: Child

    /// - Parameter port: where it was before, for one that comes back.
    init(port: Int? = nil) async throws {
        guard let executable = LivePart.redis else { throw Child.Failure(description: "no redis-server") }
        self.port = try port ?? Scene.freePorts(1)[0]
        child = try Child(
            executable,
            [
                "--port", "\(self.port)", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir",
                FileManager.default.temporaryDirectory.path,
            ])
        _ = try await child.line(with: "Ready to accept connections")
    }

    var url: String { "redis://127.0.0.1:\(port)" }

    /// As a power cut.
    func kill() async { await child.stop(signal: SIGKILL) }
}
