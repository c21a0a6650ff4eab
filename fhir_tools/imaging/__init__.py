"""Images of a chart: found through FHIR, read as pixels, made ready for a model. No model is in here.

    found = await find(scoped)                                  # what pictures the chart has
    earlier = priors(found.images[0], found.images)             # same modality and body site, before it, newest first
    async with open_access(scoped, archives=archives) as access:
        async for frame in frames(image, access, choose=Choice(most=8)):
            picture = prepare(frame)                            # 896 x 896 PNG and the way back to source pixels

`fhir_tools.imaging.types` has the records. Needs the `images` extra for reading; finding needs nothing.
"""
