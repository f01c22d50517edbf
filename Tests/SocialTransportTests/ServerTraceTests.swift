import Foundation
import SocialTransport
import SocialWire
import Testing

/// Sessions with the reference implementations, their clients' frames sent to our server.
@Suite(.timeLimit(.minutes(2))) struct `Our server, in the place of the recorded one` {
    /// Those of which a frame would be sent before the one that it answers, if they were replayed line by line.
    static let interleaved = ["ts-ts/social_v1.jsonl"]

    static func recordings(_ folder: String) throws -> [Recording] {
        try Recording.all(in: folder).filter { !$0.name.contains("bad_input") }
    }

    /// Line by line, byte for byte.
    @Test(arguments: try recordings("ts-ts") + recordings("py-ts"))
    func `says the same as TypeScript's`(recording: Recording) async throws {
        let recording = recording.withoutCredential
        let bench = try await RPCBench(modules: CannedModule.module(of: recording).map { [$0] } ?? [])
        let socket = try await PlainSocket.open("/rpc", on: bench.port)
        if `Our server, in the place of the recorded one`.interleaved.contains(recording.name) {
            try await replayByNumber(recording, on: socket)
        } else {
            try await replay(recording, on: socket)
        }
        socket.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    private func replay(_ recording: Recording, on socket: PlainSocket) async throws {
        for (place, line) in recording.lines.enumerated() {
            let spot = "\(recording.name):\(place + 1)"
            if line.isFromClient {
                try await socket.send(line.bytes)
            } else if isLate(line, in: recording) {
                // TypeScript's server did not hear the close, and sent another element. Ours has freed the source.
                continue
            } else if case .remoteError(_, "Failed while creating ModuLe")? = line.message?.body {
                // Our modules are made at the start: none can fail to be made.
                let message = try await socket.message().flatMap { try? RPCMessage(decoding: $0) }
                let refusal = "Module fails is not available for port main (1))"
                #expect(message?.body == .remoteError(code: 0, message: refusal), "\(spot)")
            } else {
                #expect(try await socket.message() == line.bytes, "\(spot)")
            }
        }
    }

    private func isLate(_ line: Recording.Line, in recording: Recording) -> Bool {
        guard recording.name.contains("stream_cancel"), case .stream(let frame)? = line.message?.body else {
            return false
        }
        return frame.sequence == 2
    }

    /// Each frame of the client as soon as what it answers is there; then the server's frames, number by number.
    private func replayByNumber(_ recording: Recording, on socket: PlainSocket) async throws {
        var got: [MessageNumber: [[UInt8]]] = [:]
        var count = 0
        let expected = recording.lines.filter { !$0.isFromClient }
        for line in recording.lines where line.isFromClient {
            let message = try #require(line.message)
            // A stream's frame answers one of its own; what else is asked comes when all but streams have answered.
            let due = recording.lines.prefix { $0.bytes != line.bytes }.filter { earlier in
                guard !earlier.isFromClient, let word = earlier.message else { return false }
                if case .stream = message.body { return word.number == message.number }
                if case .stream = word.body { return false }
                return true
            }
            while due.contains(where: { !(got[$0.message?.number ?? .none] ?? []).contains($0.bytes) }) {
                let bytes = try #require(try await socket.message())
                got[try RPCMessage(decoding: bytes).number, default: []].append(bytes)
                count += 1
            }
            try await socket.send(line.bytes)
        }
        while count < expected.count {
            let bytes = try #require(try await socket.message())
            got[try RPCMessage(decoding: bytes).number, default: []].append(bytes)
            count += 1
        }
        for number in Set(expected.compactMap(\.message?.number)) {
            #expect(got[number] == expected.filter { $0.message?.number == number }.map(\.bytes), "\(number)")
        }
    }

    /// By meaning: procedures by their names, errors as errors, frames number by number.
    @Test(arguments: try recordings("py-rust"))
    func `means the same as Rust's`(recording: Recording) async throws {
        let bench = try await RPCBench()
        let socket = try await PlainSocket.open("/rpc", on: bench.port)
        var got: [MessageNumber: [RPCMessage.Body]] = [:]
        var ids: [String: UInt32] = [:]
        func read() async throws {
            let bytes = try #require(try await socket.message())
            let message = try RPCMessage(decoding: bytes)
            if case .moduleLoaded(_, let listing) = message.body {
                for procedure in listing { ids[procedure.name] = procedure.id }
            }
            got[message.number, default: []].append(meaning(message.body))
        }
        let lines = asOurs(recording)
        var unsent = Array(lines.enumerated()).filter { $0.element.isFromClient }
        while !unsent.isEmpty {
            let place = unsent.indices.first { place in
                isDue(
                    unsent[place].element, after: lines[..<unsent[place].offset], unsent[..<place].map(\.element), got)
            }
            guard let place, let message = unsent.remove(at: place).element.message else {
                try await read()
                continue
            }
            try await socket.send(renumbered(message, ids, in: recording).encoded())
        }
        let expected = lines.filter { !$0.isFromClient }.compactMap(\.message)
        while got.values.map(\.count).reduce(0, +) < expected.count { try await read() }
        for number in Set(expected.map(\.number)) {
            #expect(got[number] == expected.filter { $0.number == number }.map { meaning($0.body) }, "\(number)")
        }
        socket.close()
        try await bench.isQuiet()
        try await bench.stop()
    }

    /// What it answers is there: for a stream's frame those of its own number, for all else whatever came before.
    private func isDue(
        _ line: Recording.Line, after earlier: ArraySlice<Recording.Line>, _ unsent: [Recording.Line],
        _ got: [MessageNumber: [RPCMessage.Body]]
    ) -> Bool {
        guard let message = line.message else { return true }
        var isStream = false
        if case .stream = message.body { isStream = true }
        let isOthers = { (line: Recording.Line) in isStream && line.message?.number != message.number }
        guard unsent.allSatisfy(isOthers) else { return false }
        return earlier.filter { !$0.isFromClient && !isOthers($0) }.compactMap(\.message).allSatisfy { word in
            (got[word.number] ?? []).contains(meaning(word.body))
        }
    }

    /// Rust opens a client's stream at once; ours when the procedure asks, so what was never asked for is closed.
    private func asOurs(_ recording: Recording) -> [Recording.Line] {
        guard recording.name.contains("never_opened") else { return recording.lines }
        let others = recording.lines.filter { $0.message?.number != MessageNumber(3) }
        let close = RPCMessage(
            MessageNumber(3), .stream(StreamFrame(.message, port: 1, sequence: 0, isClosed: true)))
        return others + [Recording.Line(isFromClient: false, bytes: close.encoded())]
    }

    private func meaning(_ body: RPCMessage.Body) -> RPCMessage.Body {
        switch body {
        case .remoteError: .remoteError(code: 0, message: "")
        case .moduleLoaded(let port, _): .moduleLoaded(port: port, procedures: [])
        default: body
        }
    }

    private func renumbered(_ message: RPCMessage, _ ids: [String: UInt32], in recording: Recording) -> RPCMessage {
        guard case .request(let port, let procedure, let stream, let payload) = message.body else { return message }
        var name: String?
        for line in recording.lines {
            guard case .moduleLoaded(port, let listing)? = line.message?.body else { continue }
            name = listing.first { $0.id == procedure }?.name
        }
        let id = name.flatMap { ids[$0] } ?? procedure
        return RPCMessage(
            message.number, .request(port: port, procedure: id, clientStream: stream, payload: payload))
    }

    /// TypeScript's closes without a code, and does not survive a text frame.
    @Test(arguments: try Recording.all(in: "py-ts").filter { $0.name.contains("bad_input") })
    func `closes at what makes no sense, and says with which code`(recording: Recording) async throws {
        let bench = try await RPCBench()
        let other = try await bench.client()
        let module = try await bench.echoModule(of: other)
        let socket = try await PlainSocket.open("/rpc", on: bench.port)
        for line in recording.lines {
            if line.isFromClient {
                try await socket.send(line.bytes, opcode: line.text == nil ? 2 : 1)
            } else {
                #expect(try await socket.message() == line.bytes)
            }
        }
        #expect(await socket.frame()?.code == (recording.name.contains("text_frame") ? 1003 : 1002))
        socket.close()
        #expect(try await module.call("identity", Data([1])) == Data([1]))
        await other.close()
        try await bench.isQuiet()
        #expect(bench.service.counts.connectionsClosedForCause == 1)
        try await bench.stop()
    }
}
