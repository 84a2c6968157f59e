// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes

/// One device's primary context, retained, with the kernels in it. Any thread that made it current.
final class CUDAContext: @unchecked Sendable {  // handles of the driver, which any thread may use
    let driver: CUDADriver
    let device: CUDADriver.Device
    let allocations: AllocationTable
    /// Nil where the driver could not compile them.
    let kernels: CopyKernels?
    let kernelFailure: CUDAFailure?
    private let context: OpaquePointer

    /// Retains the context and loads the kernels. Leaves the context current for this thread.
    init(driver: CUDADriver, device: CUDADriver.Device) throws(CUDAFailure) {
        var context: OpaquePointer?
        try driver.check("cuDevicePrimaryCtxRetain", lmc_cuda_context_retain(driver.calls, &context, device.handle))
        guard let context else { throw .missingSymbol("cuDevicePrimaryCtxRetain") }
        self.driver = driver
        self.device = device
        self.context = context
        self.allocations = AllocationTable(driver: driver, device: device.handle)
        let code = lmc_cuda_context_set_current(driver.calls, context)
        guard code == CUDACode.success else {
            _ = lmc_cuda_context_release(driver.calls, device.handle)
            throw .call("cuCtxSetCurrent", code: code, name: "error")
        }
        do throws(CUDAFailure) {
            self.kernels = try CopyKernels(driver: driver)
            self.kernelFailure = nil
        } catch {
            self.kernels = nil
            self.kernelFailure = error
        }
    }

    /// Makes it the calling thread's context, which stays so.
    func makeCurrent() throws(CUDAFailure) {
        try self.driver.check("cuCtxSetCurrent", lmc_cuda_context_set_current(self.driver.calls, self.context))
    }

    /// Unloads the kernels and releases the context; nobody may use it any more.
    func release() {
        _ = lmc_cuda_context_set_current(self.driver.calls, self.context)
        self.kernels?.unload(driver: self.driver)
        _ = lmc_cuda_context_set_current(self.driver.calls, nil)
        _ = lmc_cuda_context_release(self.driver.calls, self.device.handle)
    }
}
