import FoundationEssentials
import SocialWire
import Testing

struct `A frame` {
    @Test func `begins with its type and number, and keeps its fields in order`() {
        #expect(RPCMessage(0, .serverReady).encoded() == [0x0D, 0, 0, 0, 0x58])
        #expect(
            RPCMessage(1, .createPort(name: "social")).encoded()
                == [0x0D, 1, 0, 0, 0x28, 0x22, 6] + Array("social".utf8))
        #expect(RPCMessage(1, .portCreated(port: 1)).encoded() == [0x0D, 1, 0, 0, 0x30, 0x15, 1, 0, 0, 0])
        let request = RPCMessage(0x07FF_FFFF, .request(port: 1, procedure: 2, clientStream: 3, payload: Data([9])))
        #expect(
            request.encoded() == [
                0x0D, 0xFF, 0xFF, 0xFF, 0x0F, 0x15, 1, 0, 0, 0, 0x25, 2, 0, 0, 0, 0x2D, 3, 0, 0, 0, 0x32, 1, 9,
            ])
    }

    @Test func `leaves out what is zero, and is read without it`() throws {
        let empty = RPCMessage(5, .response(payload: Data()))
        #expect(empty.encoded() == [0x0D, 5, 0, 0, 0x10])
        #expect(try RPCMessage(decoding: empty.encoded()) == empty)
        #expect(
            try RPCMessage(decoding: [0x0D, 2, 0, 0, 0x40, 0x2A, 3, 0x12, 1, 0x61])
                == RPCMessage(2, .moduleLoaded(port: 0, procedures: [ProcedureListing(id: 0, name: "a")])))
    }

    @Test func `may have its fields in any order, and more of them`() throws {
        let scrambled: [UInt8] = [
            0x32, 1, 9, 0x9D, 0x7D, 1, 2, 3, 4, 0x15, 1, 0, 0, 0, 0x0D, 3, 0, 0, 8, 0x25, 2, 0, 0, 0,
        ]
        #expect(
            try RPCMessage(decoding: scrambled)
                == RPCMessage(3, .request(port: 1, procedure: 2, clientStream: 0, payload: Data([9]))))
    }

    @Test func `of an error keeps its code in the second field`() throws {
        let bytes: [UInt8] = [0x0D, 3, 0, 0, 0x48, 0x15, 77, 0, 0, 0, 0x1A, 1, 0x61]
        #expect(try RPCMessage(decoding: bytes) == RPCMessage(3, .remoteError(code: 77, message: "a")))
    }

    @Test(
        arguments: [
            ([], RPCFrameError.unknownType(0)), ([0x0D, 0, 0, 0, 0], .unknownType(0)), ([0x0D, 1, 0], .malformed),
            ([0x0D, 0, 0, 0, 0x60], .unknownType(12)), ([0x0D, 0, 0, 0, 0x78], .unknownType(15)),
            ([0x08, 5], .unknownType(0)), ([0xFF, 0xFF, 0xFF], .malformed),
            ([0x0D, 1, 0, 0, 0x28, 0x22, 9, 0x61], .malformed),
            // A name that is no UTF-8.
            ([0x0D, 1, 0, 0, 0x28, 0x22, 1, 0xFF], .malformed),
        ] as [([UInt8], RPCFrameError)])
    func `that makes no sense says why`(bytes: [UInt8], error: RPCFrameError) {
        #expect(throws: error) { try RPCMessage(decoding: bytes) }
    }

    @Test func `comes back as it was, whatever it says`() throws {
        let bodies: [RPCMessage.Body] = [
            .request(port: .max, procedure: .max, clientStream: 7, payload: Data(0...255)),
            .response(payload: Data([0])),
            .stream(.element(.max, 1, 2)), .stream(.ack(7)), .stream(.close(.message, 3)), .stream(.close(.ack, 0)),
            .createPort(name: "é"), .portCreated(port: 0), .requestModule(port: 2, name: ""),
            .moduleLoaded(port: 1, procedures: [.init(id: 0, name: "a"), .init(id: 9, name: "")]),
            .remoteError(code: 0, message: ""), .destroyPort(port: 1), .serverReady,
        ]
        for body in bodies {
            let message = RPCMessage(MessageNumber.last, body)
            #expect(try RPCMessage(decoding: message.encoded()) == message)
        }
    }
}
