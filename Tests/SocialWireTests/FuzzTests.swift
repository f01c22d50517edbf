import FoundationEssentials
import PresenceModel
import SocialWire
import Testing

/// Frames of chance: whole ones, ones with a few bits the other way, and none at all.
struct FrameWeather {
    var generator: SeededGenerator

    mutating func number(_ limit: UInt32) -> UInt32 { UInt32.random(in: 0..<limit, using: &generator) }

    mutating func body() -> RPCMessage.Body {
        let payload = Data((0..<number(4)).map { _ in UInt8(number(256)) })
        switch number(14) {
        case 0...3:
            return .request(
                port: 1 + number(2), procedure: number(6), clientStream: number(3) == 0 ? 1 + number(40) : 0,
                payload: payload)
        case 4...8:
            return .stream(
                StreamFrame(
                    number(2) == 0 ? .message : .ack, port: 1, sequence: number(5), payload: payload,
                    isClosed: number(4) == 0, isAck: number(2) == 0))
        case 9: return .createPort(name: "main")
        case 10: return .requestModule(port: 1 + number(2), name: number(3) == 0 ? "nope" : "echo")
        case 11: return .destroyPort(port: 1 + number(20))
        case 12: return .response(payload: payload)
        default: return .remoteError(code: number(3), message: "x")
        }
    }

    mutating func frame() -> [UInt8] {
        guard number(50) > 0 else { return (0..<number(30)).map { _ in UInt8(number(256)) } }
        var bytes = RPCMessage(MessageNumber(1 + number(40)), body()).encoded()
        guard number(10) == 0 else { return bytes }
        for _ in 0...number(3) {
            let place = Int(number(UInt32(bytes.count)))
            bytes[place] ^= 1 << UInt8(number(8))
        }
        return number(4) == 0 ? Array(bytes.prefix(Int(number(UInt32(bytes.count))))) : bytes
    }
}

struct `Frames of chance` {
    /// Whatever comes: no trap, nothing past a bound, and everything that was started is ended.
    @Test func `leave the server's end whole`() {
        var weather = FrameWeather(generator: SeededGenerator(seed: 6))
        var frames = 0
        var closes = 0
        while frames < 100_000 {
            var connection = RPCServerConnection(modules: ServerBench.modules)
            var running: Set<RPCServerConnection.CallID> = []
            var effects: [RPCServerConnection.Effect] = []
            connection.handle(.opened, into: &effects)
            for body in [.createPort(name: "main"), .requestModule(port: 1, name: "echo")] as [RPCMessage.Body] {
                connection.handle(.frameReceived(RPCMessage(1, body).encoded()), into: &effects)
            }
            while !connection.isClosed, frames < 100_000 {
                frames += 1
                let start = effects.count
                connection.handle(.frameReceived(weather.frame()), into: &effects)
                for effect in effects[start...] {
                    if case .start(let id, _) = effect { running.insert(id) }
                }
                procede(&connection, &running, &weather, &effects)
                #expect(connection.portCount <= 16 && connection.unfinishedCount <= 64)
                effects.removeAll(keepingCapacity: true)
            }
            closes += 1
            connection.handle(.transportClosed, into: &effects)
            for id in running.sorted() { connection.handle(.callFinished(id), into: &effects) }
            #expect(connection.unfinishedCount == 0 && connection.callCount == 0 && connection.portCount == 0)
        }
        #expect(closes > 100, "hardly a frame made no sense")
    }

    /// Some procedures answer, as calls are started; some take long.
    private func procede(
        _ connection: inout RPCServerConnection, _ running: inout Set<RPCServerConnection.CallID>,
        _ weather: inout FrameWeather, _ effects: inout [RPCServerConnection.Effect]
    ) {
        for effect in effects {
            if case .pull(let id) = effect { connection.handle(.elementReady(id, Data([1])), into: &effects) }
            guard case .start(let id, let order) = effect else { continue }
            switch order.procedure {
            case 1, 3: connection.handle(.streamReady(id), into: &effects)
            default: break
            }
            if order.procedure >= 2 { connection.handle(.argumentAsked(id), into: &effects) }
        }
        guard weather.number(3) == 0, let id = running.min() else { return }
        running.remove(id)
        connection.handle(.procedureFailed(id, code: 0, message: "enough"), into: &effects)
        connection.handle(.callFinished(id), into: &effects)
    }

    @Test func `leave the client's end whole, and each who waits with one outcome`() {
        var weather = FrameWeather(generator: SeededGenerator(seed: 7))
        var frames = 0
        while frames < 100_000 {
            var connection = RPCClientConnection()
            var waiting: Set<UInt64> = []
            var asked: UInt64 = 0
            while !connection.isClosed, frames < 100_000 {
                frames += 1
                var effects: [RPCClientConnection.Effect] = []
                if waiting.count < 30 {
                    asked += 1
                    waiting.insert(asked)
                    let kind = ProcedureKind.allCases[Int(weather.number(4))]
                    connection.handle(
                        .callWanted(.init(asked), .init(port: 1, procedure: 1, kind: kind, payload: Data())),
                        into: &effects)
                }
                connection.handle(.frameReceived(weather.frame()), into: &effects)
                if weather.number(400) == 0 { connection.handle(.transportClosed, into: &effects) }
                for effect in effects {
                    switch effect {
                    case .answered(let id, _), .ended(let id), .failed(let id, _):
                        #expect(waiting.remove(id.number) != nil)
                    case .offered(let id), .element(let id, _):
                        connection.handle(.elementAsked(id), into: &effects)
                    case .pullArgument(let id): connection.handle(.argumentReady(id, Data([1])), into: &effects)
                    default: break
                    }
                }
                #expect(connection.waiterCount == waiting.count)
            }
        }
    }
}
