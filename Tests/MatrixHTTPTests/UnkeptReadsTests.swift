import NIOCore
import NIOEmbedded
import Testing

@testable import MatrixHTTP

struct `Memory for what is read` {
    /// Reads as much as there is room for, or as it is told, and holds nothing of it.
    private func capacity(_ pool: inout NIOPooledRecvBufferAllocator, reading count: Int? = nil) -> Int {
        let (buffer, _) = pool.buffer(allocator: ByteBufferAllocator()) { buffer in
            buffer.writeRepeatingByte(0, count: count ?? buffer.writableBytes)
        }
        pool.record(actualReadBytes: buffer.readableBytes)
        return buffer.capacity
    }

    @Test func `grows with what comes at once and shrinks again, and is new each time`() {
        var pool = NIOPooledRecvBufferAllocator(capacity: 1, recvAllocator: UnkeptReads())
        #expect((0..<8).map { _ in capacity(&pool) } == [2048, 4096, 8192, 16384, 32768, 65536, 65536, 65536])
        // What is kept would be taken again for less: the first is, and no other.
        let less = (0..<14).map { _ in capacity(&pool, reading: 100) }
        #expect(less.last == 64 || less.last == 1024 || less.last == 2048, "\(less)")
        #expect(less == less.sorted(by: >))
        #expect(pool.count == 1)
    }

    @Test func `is so for every connection of a listener`() throws {
        let channel = EmbeddedChannel(handler: UnkeptReadsInstaller())
        let options = channel.options
        #expect(options.contains { $0.1 is UnkeptReads })
        #expect(options.contains { $0.1 as? UInt == 1 })
        _ = try channel.finish()
    }
}
