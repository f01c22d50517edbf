import FoundationEssentials
import SocialWire

extension PairWorld {
    mutating func apply(_ event: Server.Event) {
        if case .frameReceived(let bytes) = event { watchClient(bytes) }
        var effects: [Server.Effect] = []
        server.handle(event, into: &effects)
        for effect in effects {
            switch effect {
            case .send(let bytes):
                watchServer(bytes)
                toClient.append(bytes)
            case .start(let id, let order): runs[id] = Run(kind: ProcedureKind.allCases[order.procedure])
            case .pull(let id): runs[id]?.isPulled = true
            case .deliver(let id, let payload):
                let read = runs[id].map { $0.read + 1 }
                if payload != Data([read ?? 0]) { faults.append("\(id) read \(Array(payload))") }
                runs[id]?.read += 1
                runs[id]?.isAsking = false
            case .endArgument(let id): runs[id]?.isAsking = false
            case .cancel(let id): runs[id]?.isCancelled = true
            case .close(let code, let reason): faults.append("the server closed: \(code) \(reason)")
            }
        }
    }

    mutating func want(_ event: Client.Event) {
        var effects: [Client.Effect] = []
        client.handle(event, into: &effects)
        for effect in effects {
            switch effect {
            case .send(let bytes): toServer.append(bytes)
            case .becameReady, .portCreated, .moduleLoaded: break
            case .answered(let id, _), .ended(let id), .failed(let id, _): note(outcome: effect, of: id.number)
            case .offered(let id): wishes[id.number]?.holdsElement = true
            case .element(let id, let payload):
                elements += 1
                wishes[id.number]?.holdsElement = true
                wishes[id.number]?.received += 1
                let due = wishes[id.number].map { Data([$0.received]) }
                if due != payload { faults.append("\(id) got \(Array(payload))") }
            case .pullArgument(let id): wishes[id.number]?.isPulled = true
            case .endArgument(let id): wishes[id.number]?.isPulled = false
            case .close(let code, let reason): faults.append("the client closed: \(code) \(reason)")
            }
        }
    }

    private mutating func note(outcome: Client.Effect, of id: UInt64) {
        completed += 1
        wishes[id]?.outcomes += 1
        if wishes[id]?.outcomes != 1 || wishes[id]?.isGivenUp == true {
            faults.append("\(id) was told once too often: \(outcome)")
        }
        wishes[id]?.holdsElement = false
        wishes[id]?.isPulled = false
    }

    /// Never two elements without an ack between them.
    private mutating func watchServer(_ bytes: [UInt8]) {
        guard let message = try? RPCMessage(decoding: bytes), case .stream(let frame) = message.body else { return }
        guard !frame.isAck, !frame.isClosed else { return }
        if frame.sequence == 0 { unacknowledged[message.number] = 0 }
        unacknowledged[message.number, default: 0] += 1
        if unacknowledged[message.number] != 1 { faults.append("two elements without an ack: \(message)") }
    }

    private mutating func watchClient(_ bytes: [UInt8]) {
        guard let message = try? RPCMessage(decoding: bytes), case .stream(let frame) = message.body, frame.isAck
        else { return }
        unacknowledged[message.number] = 0
    }
}
