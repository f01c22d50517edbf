import Foundation
import SocialTransport
import SocialWire
import Synchronization
import Testing

/// Frames that came from a client.
final class Heard: Sendable {
    private let all = Mutex<Set<[UInt8]>>([])

    func note(_ bytes: [UInt8]) { all.withLock { _ = $0.insert(bytes) } }

    func contains(_ bytes: [UInt8]) -> Bool { all.withLock { $0.contains(bytes) } }
}

/// An application that does with our client what the recorded one did with its own.
struct ClientScript {
    private struct Stream {
        var elements: RPCElements
        var asked: Task<Data?, any Error>?
        var got: [Data] = []
    }

    let recording: Recording
    let client: RPCClient
    let heard: Heard
    private var ports: [UInt32: RPCClientPort] = [:]
    private var modules: [UInt32: RPCClientModule] = [:]
    private var streams: [MessageNumber: Stream] = [:]

    init(recording: Recording, client: RPCClient, heard: Heard) {
        self.heard = heard
        self.recording = recording
        self.client = client
    }

    mutating func run() async throws {
        for line in recording.lines where line.isFromClient {
            let message = try #require(line.message)
            switch message.body {
            case .createPort(let name):
                let port = try await client.port(name)
                #expect(recording.bodies(message.number) == [.portCreated(port: port.id)])
                ports[port.id] = port
            case .requestModule(let port, let name): try await load(name, port, message.number)
            case .destroyPort(let port): ports[port]?.destroy()
            case .request(let port, let procedure, let stream, let payload):
                let module = try #require(modules[port])
                let name = try #require(module.procedures.first { $0.id == procedure }?.name)
                try await call(name, of: module, message.number, MessageNumber(stream), payload)
            case .stream(let frame):
                try await stream(frame, message.number)
                guard frame.isAck else { continue }
                try await waits { [heard] in heard.contains(line.bytes) }
            default: Issue.record("no frame of clients: \(message)")
            }
        }
        for number in streams.keys.sorted() { try await finish(number) }
    }

    private mutating func load(_ name: String, _ port: UInt32, _ number: MessageNumber) async throws {
        do {
            let module = try await #require(ports[port]).module(name)
            #expect(recording.bodies(number) == [.moduleLoaded(port: port, procedures: module.procedures)])
            modules[port] = module
        } catch let error as RPCClientError {
            expect(error, number)
        }
    }

    private func expect(_ error: RPCClientError, _ number: MessageNumber) {
        guard case .remote(let code) = error.code else {
            Issue.record("\(error)")
            return
        }
        #expect(recording.bodies(number).last == .remoteError(code: code, message: error.message))
    }

    private mutating func call(
        _ name: String, of module: RPCClientModule, _ number: MessageNumber, _ argument: MessageNumber, _ payload: Data
    ) async throws {
        do {
            if case .stream? = recording.bodies(number).first {
                let elements =
                    argument == .none
                    ? try await module.stream(name, payload)
                    : try await module.stream(name, sending: source(argument))
                streams[number] = Stream(elements: elements)
                return
            }
            let answer =
                argument == .none
                ? try await module.call(name, payload) : try await module.call(name, sending: source(argument))
            #expect(recording.bodies(number) == [.response(payload: answer)])
        } catch let error as RPCClientError {
            expect(error, number)
        }
    }

    /// The client's own elements; without an end, if it was never asked for one.
    private func source(_ number: MessageNumber) -> RPCStream {
        let frames = recording.bodies(number, isFromClient: true).compactMap { body -> StreamFrame? in
            if case .stream(let frame) = body { frame } else { nil }
        }
        let elements = frames.filter { !$0.isClosed }.map(\.payload)
        let isEnded = frames.last?.isClosed == true
        return EchoModule().pulled { place in
            if place < elements.count { return elements[place] }
            return isEnded ? nil : try await EchoModule.never()
        }
    }

    /// An ack: the application asked for the next element. A close: it wanted no more.
    private mutating func stream(_ frame: StreamFrame, _ number: MessageNumber) async throws {
        guard var stream = streams[number] else { return }
        if frame.isAck {
            try await settle(&stream)
            stream.asked = Task { [elements = stream.elements] in
                var iterator = elements.makeAsyncIterator()
                return try await iterator.next()
            }
        } else if frame.isClosed {
            if stream.got.count < Int(frame.sequence) { try await settle(&stream) }
            stream.elements.close()
        }
        streams[number] = stream
    }

    private func settle(_ stream: inout Stream) async throws {
        guard let asked = stream.asked else { return }
        stream.asked = nil
        if let element = try await asked.value { stream.got.append(element) }
    }

    private mutating func finish(_ number: MessageNumber) async throws {
        guard var stream = streams[number] else { return }
        do {
            try await settle(&stream)
            if case .remoteError? = recording.bodies(number).last { Issue.record("no error came of \(number)") }
        } catch let error as RPCClientError {
            expect(error, number)
        }
        // What comes behind the client's own close is not for the application.
        var isClosed = false
        let elements = recording.lines.compactMap { line -> Data? in
            guard line.message?.number == number, case .stream(let frame)? = line.message?.body else { return nil }
            if frame.isClosed { isClosed = true }
            return line.isFromClient || isClosed || frame.sequence == 0 ? nil : frame.payload
        }
        #expect(stream.got == elements)
    }
}
