import SwiftProtobuf

/// Types of frames; the upper bits of the identifier.
enum MessageType: UInt8 {
    case request = 1
    case response
    case streamMessage
    case streamAck
    case createPort
    case createPortResponse
    case requestModule
    case requestModuleResponse
    case remoteErrorResponse
    case destroyPort
    case serverReady
}

extension RPCMessage {
    /// Decodes in two steps: the identifier says as what the frame is to be decoded.
    /// - Throws: ``RPCFrameError``.
    public init(decoding bytes: [UInt8]) throws(RPCFrameError) {
        let identifier = try RPCMessage.decode(DclRpcRpcMessageHeader.self, bytes).messageIdentifier
        let code = UInt8((identifier >> 27) & 0x0F)
        guard let type = MessageType(rawValue: code) else { throw .unknownType(code) }
        self.init(MessageNumber(identifier), try RPCMessage.body(of: type, bytes))
    }

    private static func body(of type: MessageType, _ bytes: [UInt8]) throws(RPCFrameError) -> Body {
        switch type {
        case .request:
            let frame = try decode(DclRpcRequest.self, bytes)
            return .request(
                port: frame.portID, procedure: frame.procedureID, clientStream: frame.clientStream,
                payload: frame.payload)
        case .response: return .response(payload: try decode(DclRpcResponse.self, bytes).payload)
        case .streamMessage: return .stream(StreamFrame(.message, try decode(DclRpcStreamMessage.self, bytes)))
        case .streamAck: return .stream(StreamFrame(.ack, try decode(DclRpcStreamMessage.self, bytes)))
        case .createPort: return .createPort(name: try decode(DclRpcCreatePort.self, bytes).portName)
        case .createPortResponse: return .portCreated(port: try decode(DclRpcCreatePortResponse.self, bytes).portID)
        case .requestModule:
            let frame = try decode(DclRpcRequestModule.self, bytes)
            return .requestModule(port: frame.portID, name: frame.moduleName)
        case .requestModuleResponse:
            let frame = try decode(DclRpcRequestModuleResponse.self, bytes)
            let procedures = frame.procedures.map { ProcedureListing(id: $0.procedureID, name: $0.procedureName) }
            return .moduleLoaded(port: frame.portID, procedures: procedures)
        case .remoteErrorResponse:
            let frame = try decode(DclRpcRemoteError.self, bytes)
            return .remoteError(code: frame.errorCode, message: frame.errorMessage)
        case .destroyPort: return .destroyPort(port: try decode(DclRpcDestroyPort.self, bytes).portID)
        case .serverReady: return .serverReady
        }
    }

    private static func decode<Frame: SwiftProtobuf.Message>(
        _ type: Frame.Type, _ bytes: [UInt8]
    ) throws(RPCFrameError) -> Frame {
        do {
            // What is skipped need not be kept.
            var options = BinaryDecodingOptions()
            options.discardUnknownFields = true
            return try Frame(serializedBytes: bytes, options: options)
        } catch {
            throw .malformed
        }
    }

    /// The bytes of the frame.
    public func encoded() -> [UInt8] {
        switch body {
        case .request(let port, let procedure, let clientStream, let payload):
            return bytes(.request, DclRpcRequest()) {
                $0.messageIdentifier = $1
                $0.portID = port
                $0.procedureID = procedure
                $0.clientStream = clientStream
                $0.payload = payload
            }
        case .response(let payload):
            return bytes(.response, DclRpcResponse()) {
                $0.messageIdentifier = $1
                $0.payload = payload
            }
        case .stream(let frame): return encoded(frame)
        case .remoteError(let code, let message):
            return bytes(.remoteErrorResponse, DclRpcRemoteError()) {
                $0.messageIdentifier = $1
                $0.errorCode = code
                $0.errorMessage = message
            }
        case .serverReady: return bytes(.serverReady, DclRpcRpcMessageHeader()) { $0.messageIdentifier = $1 }
        case .createPort, .portCreated, .destroyPort, .requestModule, .moduleLoaded: return encodedOfPort()
        }
    }

    private func encoded(_ frame: StreamFrame) -> [UInt8] {
        bytes(frame.kind == .ack ? .streamAck : .streamMessage, DclRpcStreamMessage()) {
            $0.messageIdentifier = $1
            $0.portID = frame.port
            $0.sequenceID = frame.sequence
            $0.payload = frame.payload
            $0.closed = frame.isClosed
            $0.ack = frame.isAck
        }
    }

    private func encodedOfPort() -> [UInt8] {
        switch body {
        case .createPort(let name):
            return bytes(.createPort, DclRpcCreatePort()) {
                $0.messageIdentifier = $1
                $0.portName = name
            }
        case .portCreated(let port):
            return bytes(.createPortResponse, DclRpcCreatePortResponse()) {
                $0.messageIdentifier = $1
                $0.portID = port
            }
        case .destroyPort(let port):
            return bytes(.destroyPort, DclRpcDestroyPort()) {
                $0.messageIdentifier = $1
                $0.portID = port
            }
        case .requestModule(let port, let name):
            return bytes(.requestModule, DclRpcRequestModule()) {
                $0.messageIdentifier = $1
                $0.portID = port
                $0.moduleName = name
            }
        case .moduleLoaded(let port, let procedures):
            return bytes(.requestModuleResponse, DclRpcRequestModuleResponse()) {
                $0.messageIdentifier = $1
                $0.portID = port
                $0.procedures = procedures.map { listing in
                    var line = DclRpcModuleProcedure()
                    line.procedureID = listing.id
                    line.procedureName = listing.name
                    return line
                }
            }
        case .request, .response, .stream, .remoteError, .serverReady: preconditionFailure("not of ports: \(body)")
        }
    }

    private func bytes<Frame: SwiftProtobuf.Message>(
        _ type: MessageType, _ frame: Frame, _ fill: (inout Frame, UInt32) -> Void
    ) -> [UInt8] {
        var frame = frame
        fill(&frame, UInt32(type.rawValue) << 27 | number.value)
        do {
            return try frame.serializedBytes()
        } catch {
            // Nothing of ours is required, and nothing reaches protobuf's limit of 2 GiB.
            preconditionFailure("a frame of type \(type) cannot be encoded: \(error)")
        }
    }
}

extension StreamFrame {
    init(_ kind: Kind, _ frame: DclRpcStreamMessage) {
        self.init(
            kind, port: frame.portID, sequence: frame.sequenceID, payload: frame.payload, isClosed: frame.closed,
            isAck: frame.ack)
    }
}
