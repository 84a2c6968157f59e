// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer
import Glibc
import Testing

@testable import CUDATransfer

struct NearMemoryTests {
    /// A folder like the kernel's, with what one device's file says.
    private func node(_ text: String, asked busID: String = "0000:1b:00.0") -> UInt32? {
        var template = Array("/tmp/lmcache-near-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { return 9999 }
        let folder = String(cString: made)
        defer {
            unlink("\(folder)/0000:1b:00.0/numa_node")
            rmdir("\(folder)/0000:1b:00.0")
            rmdir(folder)
        }
        mkdir("\(folder)/0000:1b:00.0", 0o700)
        let file = open("\(folder)/0000:1b:00.0/numa_node", O_WRONLY | O_CREAT, 0o600)
        _ = write(file, text, text.utf8.count)
        close(file)
        return NearMemory.node(busID: busID, devices: folder)
    }

    @Test func nodeIsWhatTheKernelSays() {
        #expect(self.node("0\n") == 0)
        #expect(self.node("3\n") == 3)
        #expect(self.node("12") == 12)
    }

    @Test func unknownNodesAreNone() {
        #expect(self.node("-1\n") == nil)
        #expect(self.node("") == nil)
        #expect(self.node("one\n") == nil)
        #expect(self.node("99999999999999\n") == nil)
        #expect(self.node("1\n", asked: "0000:1c:00.0") == nil)
        #expect(self.node("1\n", asked: "") == nil)
        #expect(self.node("1\n", asked: "../0000:1b:00.0") == nil)
    }

    @Test func aNodeThatIsNotThereIsRefused() {
        let byteCount = 1 << 20
        let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { return #expect(Bool(false), "no memory") }
        defer { munmap(memory, byteCount) }
        let view = ArenaView(base: memory, byteCount: byteCount)
        #expect(!NearMemory.prefer(node: 1023, for: view))
        #expect(!NearMemory.prefer(node: 1024, for: view))
    }

    @Test func memoryOfANodeThatIsThereStaysUsable() {
        let byteCount = 1 << 20
        let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { return #expect(Bool(false), "no memory") }
        defer { munmap(memory, byteCount) }
        // Some sandboxes forbid the call; then it says so, and the memory is as it was.
        _ = NearMemory.prefer(node: 0, for: ArenaView(base: memory, byteCount: byteCount))
        memset(memory, 7, byteCount)
        #expect(memory.load(fromByteOffset: byteCount - 1, as: UInt8.self) == 7)
    }
}
