import Foundation
import SocialTransport
import SocialWire
import Testing

/// Sessions with the reference implementations, their servers' frames sent to our client, which does what theirs did.
@Suite(.timeLimit(.minutes(2))) struct `Our client, in the place of the recorded one` {
    @Test(arguments: try Recording.all(in: "ts-ts") + Recording.all(in: "rust-py"))
    func `says the same`(recording: Recording) async throws {
        let recording = recording.withoutCredential
        let heard = Heard()
        let (results, continuation) = AsyncStream.makeStream(of: String.self)
        let (port, listener) = try await PlainSocket.listen { socket in
            try await socket.accept()
            continuation.yield(await play(recording, on: socket, heard))
            if await socket.closing() != nil { socket.close() }
        }
        var configuration = RPCClient.Configuration()
        configuration.connectTimeout = .seconds(60)
        let client = try await RPCClient.connect(to: "ws://127.0.0.1:\(port)/", configuration: configuration)
        var script = ClientScript(recording: recording, client: client, heard: heard)
        try await script.run()
        var iterator = results.makeAsyncIterator()
        #expect(await iterator.next() == "")
        await client.close()
        try await listener.close()
    }

    /// The server's frames, each when the client's before it have come. - Returns: what was wrong.
    @Sendable private func play(_ recording: Recording, on socket: PlainSocket, _ heard: Heard) async -> String {
        var early: [[UInt8]] = []
        do {
            for (place, line) in recording.lines.enumerated() {
                guard line.isFromClient else {
                    try await socket.send(line.bytes)
                    continue
                }
                let expected = ours(line.bytes, in: recording)
                while !early.contains(expected) {
                    guard let bytes = try await socket.message() else {
                        return "\(recording.name):\(place + 1): closed before that; left: \(early)"
                    }
                    early.append(bytes)
                    heard.note(bytes)
                }
                early.removeAll { $0 == expected }
            }
        } catch {
            return "\(error)"
        }
        return early.isEmpty ? "" : "more than recorded: \(early)"
    }

    /// Closes as Rust's server hears them too: in a STREAM_ACK, where TypeScript's client has a STREAM_MESSAGE. The end
    /// of the client's own stream is a STREAM_MESSAGE with all.
    private func ours(_ bytes: [UInt8], in recording: Recording) -> [UInt8] {
        guard let message = try? RPCMessage(decoding: bytes), case .stream(var frame) = message.body, frame.isClosed,
            !recording.argumentNumbers.contains(message.number)
        else { return bytes }
        frame.kind = .ack
        return RPCMessage(message.number, .stream(frame)).encoded()
    }
}
