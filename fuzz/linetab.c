/* Fuzzes profiler/cpython/linetab: any bytes as a table of any kind give a line or none. The first nine bytes
 * are the kind, the first line and the offset. */
#include "profiler/cpython/linetab.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int32_t first_line, offset;
    if (size < 9)
        return 0;
    memcpy(&first_line, data + 1, 4);
    memcpy(&offset, data + 5, 4);
    enum vg_linetab_kind kind = (enum vg_linetab_kind)(data[0] % (VG_LINETAB_LOCATIONS + 1));
    int32_t line = vg_linetab_line(kind, data + 9, size - 9, first_line, offset);
    if (line < 0 || (line > 0 && kind == VG_LINETAB_NONE))
        abort();
    return 0;
}
