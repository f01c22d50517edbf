import Foundation
import LoopbackTLS
import NIOCore
import SocialTransport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A WebSocket of the listener` {
    /// CREATE_PORT, and the answer to it.
    static let createPort: [UInt8] = [0x0D, 1, 0, 0, 0x28]
    static let portCreated: [UInt8] = [0x0D, 1, 0, 0, 0x30, 0x15, 1, 0, 0, 0]

    @Test func `shares its port and its path with HTTP`() async throws {
        let bench = try await RPCBench()
        for target in ["/rpc", "/rpc?a=b", "/other"] {
            let plain = try await PlainSocket.connect(to: bench.port)
            // Twice on one connection, the first in two parts.
            try await plain.send(text: "GET \(target) HT")
            try await plain.send(text: "TP/1.1\r\nHost: x.org\r\n\r\n")
            let status = target == "/other" ? "404" : "200"
            #expect(await plain.head().hasPrefix("HTTP/1.1 \(status) "))
            plain.close()
        }
        let socket = try await PlainSocket.open("/rpc?a=b", on: bench.port)
        #expect(try await socket.message() == [0x0D, 0, 0, 0, 0x58])
        let other = try await PlainSocket.connect(to: bench.port)
        try await other.send(text: PlainSocket.request("/other"))
        #expect(await other.head().hasPrefix("HTTP/1.1 404 "))
        other.close()
        socket.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `answers with the proof that the specification works out`() async throws {
        let bench = try await RPCBench()
        let socket = try await PlainSocket.connect(to: bench.port)
        // With the first frame right behind.
        let frame = socket.encode(`A WebSocket of the listener`.createPort)
        try await socket.channel.writeAndFlush(ByteBuffer(bytes: Array(PlainSocket.request("/rpc").utf8) + frame)).get()
        let head = await socket.head().lowercased()
        #expect(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
        #expect(try await socket.message() == [0x0D, 0, 0, 0, 0x58])
        #expect(try await socket.message() == `A WebSocket of the listener`.portCreated)
        socket.close()
        try await bench.stop()
    }

    @Test(arguments: [
        ("GET", "HTTP/1.1", "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"),
        ("GET", "HTTP/1.1", "Host: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n"),
        (
            "GET", "HTTP/1.1",
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n"
        ),
        (
            "GET", "HTTP/1.1",
            "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 8\r\n"
        ),
        (
            "POST", "HTTP/1.1",
            "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n"
        ),
    ]) func `is refused to a bad handshake`(method: String, version: String, fields: String) async throws {
        let bench = try await RPCBench()
        let socket = try await PlainSocket.connect(to: bench.port)
        try await socket.send(text: "\(method) /rpc \(version)\r\n\(fields)\r\n")
        #expect(await socket.head().hasPrefix("HTTP/1.1 400 "))
        #expect(await socket.frame() == nil)
        #expect(bench.service.counts.connectionsOpened == 0)
        try await bench.stop()
    }

    @Test func `joins fragments, between which pings are answered`() async throws {
        let bench = try await RPCBench()
        let socket = try await bench.open()
        let bytes = `A WebSocket of the listener`.createPort
        try await socket.send(Array(bytes[..<2]), isFinal: false)
        try await socket.send([7], opcode: 9)
        try await socket.send([], opcode: 0, isFinal: false)
        try await socket.send(Array(bytes[2...]), opcode: 0)
        #expect(await socket.frame() == .init(opcode: 10, isMasked: false, payload: [7]))
        #expect(try await socket.message() == `A WebSocket of the listener`.portCreated)
        try await socket.send([0x03, 0xE8] + Array("bye".utf8), opcode: 8)
        #expect(await socket.frame() == .init(opcode: 8, isMasked: false, payload: [0x03, 0xE8]))
        #expect(await socket.frame() == nil)
        try await bench.isQuiet()
        try await bench.stop()
    }

    struct Offence: Sendable {
        var code: UInt16
        var frames: [PlainSocket.Frame]

        init(_ code: UInt16, _ frames: (UInt8, Bool, [UInt8])...) {
            self.code = code
            self.frames = frames.map { .init(opcode: $0.0, isFinal: $0.1, isMasked: true, payload: $0.2) }
        }
    }

    static let offences = [
        Offence(1002, (0, true, [1])), Offence(1002, (2, false, [1]), (2, true, [1])), Offence(1002, (3, true, [])),
        Offence(1002, (9, false, [])), Offence(1002, (9, true, [UInt8](repeating: 0, count: 126))),
        Offence(1002, (8, true, [3])), Offence(1002, (8, true, [0x03, 0xED])),
        Offence(1002, (8, true, [0x03, 0xE8, 0xFF])),
        Offence(1002, (0x42, true, [])), Offence(1003, (1, true, [0x61])), Offence(1003, (1, false, [0x61])),
        Offence(1009, (2, true, [UInt8](repeating: 0, count: 1001))),
        Offence(1009, (2, false, [UInt8](repeating: 0, count: 600)), (0, true, [UInt8](repeating: 0, count: 600))),
    ]

    @Test func `is closed at an offence against the rules of frames, with the code for it`() async throws {
        let bench = try await RPCBench { $0.webSocket.messageBytesLimit = 1000 }
        for offence in `A WebSocket of the listener`.offences {
            let socket = try await bench.open()
            for frame in offence.frames {
                try await socket.send(frame.payload, opcode: frame.opcode, isFinal: frame.isFinal)
            }
            let code = await socket.frame()?.code
            #expect(code == offence.code, "\(offence)")
            socket.close()
        }
        let unmasked = try await bench.open()
        try await unmasked.send(`A WebSocket of the listener`.createPort, masked: false)
        #expect(await unmasked.frame()?.code == 1002)
        unmasked.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `is cut if the close is not answered`() async throws {
        let bench = try await RPCBench { $0.webSocket.cutAfter = .milliseconds(50) }
        let socket = try await bench.open()
        try await socket.send([0x61], opcode: 1)
        #expect(await socket.closing() == 1003)
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `is pinged, and cut when nothing is heard for two intervals`() async throws {
        let pulses = WebSocketPulses(interval: .seconds(1))
        let bench = try await RPCBench { $0.pulses = pulses }
        let client = try await bench.client { $0.pulses = WebSocketPulses(interval: .seconds(30)) }
        let silent = try await bench.open()
        #expect(await silent.frame() == .init(opcode: 9, isMasked: false, payload: []))
        #expect(await silent.closing() != nil)
        // Who answers pings stays.
        let module = try await bench.echoModule(of: client)
        #expect(try await module.call("identity", Data([1])) == Data([1]))
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    @Test func `is not cut by the bounds of HTTP`() async throws {
        let bench = try await RPCBench(idleTimeout: .seconds(2), firstRequestLimit: .seconds(2))
        let socket = try await bench.open()
        let idle = try await PlainSocket.connect(to: bench.port)
        let half = try await PlainSocket.connect(to: bench.port)
        // On a busy machine it may be too late for that already.
        try? await half.send(text: "GET /rpc HTTP/1.1\r\nUpgrade: webs")
        #expect(await idle.frame() == nil)
        #expect(await half.frame() == nil)
        try await socket.send(`A WebSocket of the listener`.createPort)
        #expect(try await socket.message() == `A WebSocket of the listener`.portCreated)
        socket.close()
        try await bench.stop()
    }

    @Test(arguments: [
        ("hello\r\n\r\n", 400), ("GET /rpc\r\n\r\n", 400), ("\r\nGET /rpc HTTP/1.1\r\nHost: x.org\r\n\r\n", 200),
    ]) func `is no reason to let other requests wait`(text: String, status: Int) async throws {
        let bench = try await RPCBench()
        let socket = try await PlainSocket.connect(to: bench.port)
        try await socket.send(text: text)
        #expect(await socket.head().hasPrefix("HTTP/1.1 \(status)"))
        socket.close()
        try await bench.stop()
    }

    @Test func `closes with 1001 when the server stops, and holds nothing up`() async throws {
        let bench = try await RPCBench()
        let socket = try await bench.open()
        let silent = try await PlainSocket.connect(to: bench.port)
        async let stopped: Void = bench.stop()
        let frame = await socket.frame()
        #expect(frame?.code == 1001)
        try await socket.send(frame?.payload ?? [], opcode: 8)
        #expect(await socket.frame() == nil)
        #expect(await silent.frame() == nil)
        try await stopped
        try await bench.isQuiet()
    }

    @Test func `works through TLS`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("rpc-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let authority = try PrivateAuthority(folder: folder)
        let files = try authority.issue(label: "rpc", names: ["localhost"])
        let bench = try await RPCBench(certificate: (files.certificate, files.key))
        var configuration = RPCClient.Configuration()
        let address = "wss://127.0.0.1:\(bench.port)/rpc"
        await #expect(throws: RPCClientError.self) {
            _ = try await RPCClient.connect(to: address, configuration: configuration)
        }
        configuration.trustedCertificates = authority.path
        let client = try await RPCClient.connect(to: address, configuration: configuration)
        let module = try await bench.echoModule(of: client)
        let long = Data(repeating: 7, count: 300_000)
        #expect(try await module.call("identity", long) == long)
        await client.close()
        try await bench.isQuiet()
        try await bench.stop()
    }
}
