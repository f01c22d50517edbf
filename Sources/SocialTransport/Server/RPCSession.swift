import FoundationEssentials
import NIOCore
import SocialWire

/// One connection of the service: drives its machine on its event loop, and has procedures run.
final class RPCSession: WebSocketSession {
    typealias CallID = RPCServerConnection.CallID

    let id: RPCSessionID
    private let service: RPCService
    private let eventLoop: any EventLoop
    private var machine: RPCServerConnection
    private var connection: WebSocketConnection?
    private var runs: [CallID: ProcedureRun] = [:]
    private var hasFinished = false

    init(_ id: RPCSessionID, of service: RPCService, on eventLoop: any EventLoop) {
        self.id = id
        self.service = service
        self.eventLoop = eventLoop
        machine = RPCServerConnection(modules: service.served, configuration: service.configuration.connection)
    }

    // MARK: From the WebSocket

    func opened(by connection: WebSocketConnection) {
        self.connection = connection
        let isWelcome = service.noteOpened(id, NIOLoopBound(self, eventLoop: eventLoop))
        submit(.opened)
        if !isWelcome { submit(.goingAway) }
    }

    func received(_ message: ByteBuffer) {
        service.count { $0.framesIn += 1 }
        submitFromOutside(.frameReceived(Array(message.readableBytesView)))
    }

    func receivedText(_ beginning: ByteBuffer) { submitFromOutside(.textReceived) }

    /// Why a client goes makes no difference.
    func closing(_ code: UInt16?, _ reason: String) {}

    func goingAway() { submit(.goingAway) }

    func ended() {
        // One that never opened was never counted.
        guard connection != nil else { return }
        connection = nil
        service.noteClosed()
        submit(.transportClosed)
        finishIfOver()
    }

    private func submitFromOutside(_ event: RPCServerConnection.Event) {
        guard !machine.isClosed else { return }
        submit(event)
        if machine.isClosed { service.count { $0.connectionsClosedForCause += 1 } }
    }

    // MARK: From procedures

    /// What a procedure did. On the event loop.
    func take(_ events: [RPCServerConnection.Event]) {
        for event in events {
            submit(event)
            if case .callFinished(let call) = event, let run = runs.removeValue(forKey: call) {
                service.noteRun(run, -1)
            }
        }
        finishIfOver()
    }

    private func submit(_ event: RPCServerConnection.Event) {
        var effects: [RPCServerConnection.Effect] = []
        machine.handle(event, into: &effects)
        for effect in effects { carryOut(effect) }
    }

    private func carryOut(_ effect: RPCServerConnection.Effect) {
        switch effect {
        case .send(let bytes):
            guard let connection else { return }
            service.count { $0.framesOut += 1 }
            connection.send(bytes)
        case .start(let call, let order): start(call, order)
        case .pull(let call): runs[call]?.pull()
        case .deliver(let call, let payload): runs[call]?.deliver(payload)
        case .endArgument(let call): runs[call]?.deliver(nil)
        case .cancel(let call): runs[call]?.cancel()
        case .close(let code, let reason): connection?.close(code, reason)
        }
    }

    private func start(_ call: CallID, _ order: RPCServerConnection.Order) {
        let body = service.modules[order.module].procedures[order.procedure].body
        let run = ProcedureRun(
            call, givesStream: body.kind.givesStream, session: NIOLoopBound(self, eventLoop: eventLoop))
        runs[call] = run
        service.noteRun(run, 1)
        run.start(body, RPCCall(session: id, port: order.port, payload: order.payload))
    }

    private func finishIfOver() {
        guard connection == nil, machine.isClosed, machine.unfinishedCount == 0, !hasFinished else { return }
        hasFinished = true
        service.noteFinished(id)
    }
}
